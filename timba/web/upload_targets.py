"""What the upload pages tell their script: where files go, and what would be refused there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParserError

from timba.files.kinds import KINDS_BY_EXTENSION, TEMPERATURES, size_limit
from timba.files.registry import processors
from timba.web.pages import Viewer

FILES_AT_A_TIME = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadTarget:
    """One upload door: its address, its form field, and its limits by the ending of a name.

    Without `endings` any ending will do; `suggested` is what a choice of files begins with.
    """

    url: str
    field: str
    endings: tuple[str, ...]
    suggested: tuple[str, ...]
    most: int

    @property
    def limit(self) -> int:
        return int(settings.TIMBA_MAX_UPLOAD_BYTES)

    @property
    def small_endings(self) -> tuple[str, ...]:
        return tuple(e for e in self.endings if size_limit(f"x.{e}", general=-1) >= 0)

    @property
    def small_limit(self) -> int:
        """Return the limit of photos and PDFs."""
        return max(size_limit(f"x.{ending}", general=0) for ending in KINDS_BY_EXTENSION)


def files_target() -> UploadTarget:
    """Return the door for every kind that can be read here."""
    known = set(processors())
    endings = tuple(ending for ending, kinds in KINDS_BY_EXTENSION.items() if known & set(kinds))
    return UploadTarget(
        url="/api/upload/",
        field="files",
        endings=endings,
        suggested=endings,
        most=FILES_AT_A_TIME,
    )


def readings_target() -> UploadTarget:
    """Return the door for temperature files alone, one at a time, whatever their names end in."""
    return UploadTarget(
        url="/upload/",
        field="file",
        endings=(),
        suggested=tuple(
            ending for ending, kinds in KINDS_BY_EXTENSION.items() if TEMPERATURES in kinds
        ),
        most=1,
    )


def upload_blocked_reason(reader: Viewer) -> str:
    """Return why this reader cannot upload now; empty when nothing is in the way."""
    if not reader.writes_files:
        return (
            "Your role may look at files but not add any. An owner of your company can change that."
        )
    if reader.is_lapsed:
        return "Files can be added again once the subscription is extended."
    if reader.client is None:
        return "Choose a client first, below the menu: a file always belongs to one."
    return ""


class RefuseFiles(FileUploadHandler):
    """Refuses a form with a file in it before Django would write the file to a temporary folder."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        raise MultiPartParserError(f"A form that takes no files was sent “{self.file_name}”.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 - Django's signature
        return raw_data

    def file_complete(self, file_size: int) -> None:  # noqa: ARG002 - Django's signature
        return None
