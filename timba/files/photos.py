"""The processor of photos: what is read in a photo, the log that it shows, and its hash."""

from __future__ import annotations

from functools import partial
from typing import Final

import structlog

from timba.consignments.barcode_text import is_barcode
from timba.files.linking import FoundLink, find_link
from timba.files.models import File
from timba.files.processors.base import FileRefused, Findings, Job, Processor, ReadResult
from timba.files.processors.photo import read_photo
from timba.files.processors.photo_codes import MAX_CODES, read_photo_codes
from timba.files.sandbox import run_in_sandbox
from timba.files.similar import split_hash

RESULT_FIELDS: Final = (
    *("width", "height", "format", "taken_at", "camera"),
    *("has_gps", "latitude", "longitude", "phash"),
)
# A photo of 12 megapixels was measured to take 0.13, pictures of nothing but noise 0.4.
_CODES_CPU_SECONDS: Final = 20
_log = structlog.get_logger(__name__)


class PhotoProcessor(Processor):
    """A photo's log is found before the transaction that settles the photo."""

    extra_readers = (read_photo_codes,)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        file = File.unscoped.get(pk=job.file_id)
        return {**result.findings, "link": find_link(file, read_codes=partial(_read_codes, job))}

    def lock(self, findings: Findings) -> None:
        link: FoundLink = findings["link"]
        link.lock()


def _read_codes(job: Job) -> list[str]:
    """Return the texts of the codes in a photo; if they cannot be read, the rest stands."""
    try:
        result = run_in_sandbox(read_photo_codes, job, cpu_seconds=_CODES_CPU_SECONDS)
    except FileRefused:
        _log.warning("codes_not_read", exc_info=True)
        return []
    # What the sandbox returns is as untrusted as the photo.
    codes = result.findings.get("codes")
    texts = codes if isinstance(codes, list) else []
    return [text for text in texts if isinstance(text, str) and is_barcode(text)][:MAX_CODES]


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
