"""What the upload pages pass to their script: the address for files, and the limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParserError

from timba.files.kinds import KINDS_BY_EXTENSION, TEMPERATURES, size_limit
from timba.files.registry import processors
from timba.web.pages import Viewer

MAX_FILES_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadTarget:
    """An upload endpoint: its address, its form field, and its limits.

    Without `extensions` a file may have any name. `suggested_extensions` preset the file chooser.
    `kind` is that of every file, where the endpoint accepts one kind alone.
    """

    url: str
    field: str
    extensions: tuple[str, ...]
    suggested_extensions: tuple[str, ...]
    max_files: int
    kind: str = ""

    @property
    def max_bytes(self) -> int:
        """The limit of the files that have no smaller one."""
        return int(settings.TIMBA_MAX_UPLOAD_BYTES)

    @property
    def small_extensions(self) -> tuple[str, ...]:
        """The extensions of photos and PDFs, which have a smaller limit."""
        return tuple(e for e in self.extensions if size_limit(f"x.{e}", general=-1) >= 0)

    @property
    def small_max_bytes(self) -> int:
        """The limit of photos and PDFs."""
        return max(size_limit(f"x.{extension}", general=0) for extension in KINDS_BY_EXTENSION)


def get_files_target() -> UploadTarget:
    """Return the endpoint for files of every kind that has a processor."""
    readable = set(processors())
    extensions = tuple(
        extension for extension, kinds in KINDS_BY_EXTENSION.items() if readable & set(kinds)
    )
    return UploadTarget(
        url="/api/upload/",
        field="files",
        extensions=extensions,
        suggested_extensions=extensions,
        max_files=MAX_FILES_AT_ONCE,
    )


def get_readings_target() -> UploadTarget:
    """Return the endpoint for one temperature file at a time, with any extension."""
    return UploadTarget(
        url="/upload/",
        field="file",
        extensions=(),
        suggested_extensions=tuple(
            e for e, kinds in KINDS_BY_EXTENSION.items() if TEMPERATURES in kinds
        ),
        max_files=1,
        kind=TEMPERATURES,
    )


def upload_blocked_reason(viewer: Viewer) -> str:
    """Return a sentence on why the viewer cannot upload now; empty if they can."""
    if not viewer.can_write_files:
        return (
            "Your role may look at files but not add any. An owner of your company can change that."
        )
    if viewer.is_lapsed:
        return "Files can be added again once the subscription is extended."
    if viewer.client is None:
        return "Choose a client first, below the menu: a file always belongs to one."
    if viewer.client.subscription.free_bytes == 0:
        return "The storage of the subscription is used up. Files can be added again with more."
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
