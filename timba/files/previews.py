"""Previews of files as derived objects: made while a file is processed, later, or for one page.

The row of a preview is written first, then its object, then it becomes current: a crash between
leaves what the sweeper removes. Nothing here changes a file's status, result or events.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final

import structlog
from django.db import transaction

from timba.db.transactions import outside_transactions, retry_on_deadlock
from timba.errors import Unavailable
from timba.failpoints import failpoint
from timba.files.leases import DerivativeWriter
from timba.files.models import Derivative, File, FileQuerySet
from timba.files.processors.base import FileRefused, Processor, ReadResult, WatchedSource
from timba.files.processors.pictures import PREVIEW, SIZES
from timba.files.registry import processors
from timba.files.sandbox import INTERRUPTED, SandboxUnavailable, read_in_sandbox, run_in_sandbox
from timba.files.storage import VerifiedStream, new_key, store

# CPU seconds in which a page has to be drawn; text and scans need some tenths of one.
DRAW_SECONDS: Final = 10
# Previews of single pages that are kept of one file.
MAX_PAGES_KEPT: Final = 200
# Pages that this process draws at once, each in a thread with a sandbox child of its own, and how
# many seconds a further request waits for one of them.
MAX_DRAWINGS: Final = 2
WAIT_SECONDS: Final = 3.0
BUSY: Final = "Too many pages are being drawn just now. Try again in a moment."
_PAGE_PREFIX: Final = "page_"
_PAGE: Final = _PAGE_PREFIX + "{page}_{size}"
_ROLES: Final = tuple(PREVIEW.format(size) for size in SIZES)
_REPLACED: Final = "replaced_{pk}"
_slots: Final = threading.BoundedSemaphore(MAX_DRAWINGS)
_threads: Final = ThreadPoolExecutor(MAX_DRAWINGS, thread_name_prefix="pages")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A processed file, to be read in the sandbox once more."""

    file: File

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def size(self) -> int:
        return self.file.size

    def open(self) -> BinaryIO:
        stream = store().open_bytes(self.file.storage_key)
        return VerifiedStream(stream, sha256=self.file.sha256)

    def progress(self, fraction: float, *, rows: int | None = None) -> None:
        """Do nothing: there is no lease to renew."""


def previews_of(
    processor: Processor, source: WatchedSource, result: ReadResult
) -> Mapping[str, bytes]:
    """Return the previews of a file that was read, by role; none where they cannot be made.

    Raises SandboxUnavailable.
    """
    if not processor.makes_previews:
        return {}
    objects = result.objects
    if processor.draw is not None:
        try:
            objects = run_in_sandbox(processor.draw, source, cpu_seconds=DRAW_SECONDS).objects
        except FileRefused as refusal:
            _log.info("no_preview", reason=str(refusal))
            return {}
    return {role: objects[role] for role in _ROLES if role in objects}


def files_without_previews() -> FileQuerySet:
    """Return the processed files that may lack previews, oldest first."""
    kinds = [kind for kind, processor in processors().items() if processor.makes_previews]
    return (
        File.unscoped.live()
        .filter(kind__in=kinds, status=File.Status.SUCCESS, has_preview=False)
        .order_by("uploaded_at", "pk")
    )


def make_previews(file: File) -> bool:
    """Make the previews of a processed file that has none; return whether it has them now.

    Raises SandboxUnavailable, and what the store raises.
    """
    processor, source = processors()[file.kind], StoredFile(file)
    try:
        read = processor.draw is None
        result = read_in_sandbox(processor, source) if read else ReadResult(findings={})
    except FileRefused:
        return False
    for role, content in previews_of(processor, source, result).items():
        _keep(file, role, content)
    return File.unscoped.filter(pk=file.pk, has_preview=True).exists()


def is_preview(derivative: Derivative) -> bool:
    """Return whether it can be made again without a change of the file's result."""
    return derivative.role in _ROLES or derivative.role.startswith(_PAGE_PREFIX)


def mend_preview(derivative: Derivative) -> bool:
    """Replace a preview whose object is lost or damaged; return whether there is another now.

    That of a single page is made when it is asked for again. Raises as `make_previews` does.
    """
    _forget(derivative)
    store().purge(derivative.storage_key)
    return derivative.role not in _ROLES or make_previews(derivative.file)


def read_preview(file: File, size: int) -> bytes | None:
    """Return the preview of a file; None where there is none."""
    return _read(file, PREVIEW.format(size)) if file.has_preview else None


@outside_transactions
def read_page(file: File, page: int, size: int) -> bytes | None:
    """Return the preview of one page of a PDF as it is kept, else draw it and keep it.

    Returns None where it cannot be drawn. Raises Unavailable where too many are being drawn or the
    sandbox cannot be used, and what the store raises.
    """
    role = _PAGE.format(page=page, size=size)
    content = _read(file, role)
    if content is None:
        if not _slots.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(BUSY)
        try:
            # Perhaps another request has just drawn it.
            content = _read(file, role)
            if content is None:
                content = _threads.submit(_draw_page, file, page, size).result()
                _keep(file, role, content)
        finally:
            _slots.release()
    return content or None


def _draw_page(file: File, page: int, size: int) -> bytes:
    """Return a page, or nothing where it cannot be drawn: that is kept too."""
    draw = processors()[file.kind].draw
    assert draw is not None  # noqa: S101 - only documents have pages
    extra = json.dumps({"page": page, "sizes": [size]}).encode()
    try:
        drawn = run_in_sandbox(draw, StoredFile(file), extra=extra, cpu_seconds=DRAW_SECONDS)
    except SandboxUnavailable:
        raise Unavailable from None
    except FileRefused as refusal:
        if str(refusal) == INTERRUPTED:
            raise Unavailable from None
        _log.info("page_not_drawn", file_id=str(file.pk), page=page, reason=str(refusal))
        return b""
    return drawn.objects.get(PREVIEW.format(size), b"")


def _read(file: File, role: str) -> bytes | None:
    current = Derivative.objects.filter(file=file, run=_run(file), role=role, is_current=True)
    key = current.values_list("storage_key", flat=True).first()
    if key is None:
        return None
    try:
        with store().open_bytes(key) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _keep(file: File, role: str, content: bytes) -> None:
    """Store a preview of the file's current run, unless there is one or the run was replaced."""
    derivative = _name(file, role)
    if derivative is None:
        return
    failpoint("previews.named")
    writer = store().create(derivative.storage_key)
    with DerivativeWriter(writer, derivative_id=derivative.pk) as out:
        out.write(content)
    failpoint("previews.stored")
    if not _make_current(derivative):
        # Of a row that was replaced, or that the sweeper had deleted before there was an object.
        store().delete(derivative.storage_key)


@retry_on_deadlock
def _name(file: File, role: str) -> Derivative | None:
    """Write the row of a preview; return None where it is not to be kept.

    A row that is not current is left by a process that was killed, or another one is just storing
    its object. Which of the two cannot be told: it yields its role, and the sweeper deletes it.
    """
    run = _run(file)
    with transaction.atomic():
        if not _lock_run(file, run):
            return None
        pages = Derivative.objects.filter(file=file, run=run, role__startswith=_PAGE_PREFIX)
        if role not in _ROLES and pages.count() >= MAX_PAGES_KEPT:
            return None
        earlier = Derivative.objects.filter(file=file, run=run, role=role).first()
        if earlier is not None:
            if earlier.is_current:
                return None
            earlier.role = _REPLACED.format(pk=earlier.pk)
            earlier.save(update_fields=["role"])
        return Derivative.objects.create(file=file, run=run, role=role, storage_key=new_key())


@retry_on_deadlock
def _make_current(derivative: Derivative) -> bool:
    with transaction.atomic():
        if not _lock_run(derivative.file, derivative.run):
            return False
        # Without its role, another one has replaced it.
        row = Derivative.objects.filter(pk=derivative.pk, role=derivative.role)
        if not row.update(is_current=True):
            return False
        current = Derivative.objects.filter(
            file=derivative.file, run=derivative.run, role__in=_ROLES, is_current=True
        )
        if current.count() == len(_ROLES):
            File.unscoped.filter(pk=derivative.file_id).update(has_preview=True)
        return True


@retry_on_deadlock
def _forget(derivative: Derivative) -> None:
    with transaction.atomic():
        File.unscoped.select_for_update().get(pk=derivative.file_id)
        derivative.delete()
        if derivative.role in _ROLES:
            File.unscoped.filter(pk=derivative.file_id).update(has_preview=False)


def _run(file: File) -> int:
    assert file.run is not None  # noqa: S101 - those of files in SUCCESS
    return file.run


def _lock_run(file: File, run: int) -> bool:
    """Lock the file's row; return whether this is still its current run and it is not deleted."""
    rows = File.unscoped.live().filter(pk=file.pk, run=run, status=File.Status.SUCCESS)
    return rows.select_for_update().values_list("pk").first() is not None
