"""The processor of photos: what is read in a photo, the log that it shows, and its hash."""

from __future__ import annotations

from typing import Final

from timba.files.linking import FoundLink, find_link
from timba.files.models import File
from timba.files.processors.base import Findings, Job, Processor, ReadResult
from timba.files.processors.photo import read_photo
from timba.files.similar import split_hash

RESULT_FIELDS: Final = (
    *("width", "height", "format", "taken_at", "camera"),
    *("has_gps", "latitude", "longitude", "phash"),
)


class PhotoProcessor(Processor):
    """A photo's log is found before the transaction that settles the photo."""

    extra_readers = ()

    def stage(self, job: Job, result: ReadResult) -> Findings:
        file = File.unscoped.get(pk=job.file_id)
        return {**result.findings, "link": find_link(file)}

    def lock(self, findings: Findings) -> None:
        link: FoundLink = findings["link"]
        link.lock()


def record_photo(file: File, findings: Findings) -> None:
    """Link the file to the log that was found, and keep the hash by which it is found itself."""
    link: FoundLink = findings["link"]
    link.apply(file)
    for name, value in split_hash(findings["phash"]).items():
        setattr(file, name, value)


PROCESSOR: Final = PhotoProcessor(
    kind=File.Kind.PHOTO,
    read=read_photo,
    record=record_photo,
    result_fields=RESULT_FIELDS,
    makes_previews=True,
)
