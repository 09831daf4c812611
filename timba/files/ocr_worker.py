"""Reads the text in pictures, one request of the sandbox for each, and adds it to the file's text.

The file's result says what was read. If that fails, the file stays as it is, and its result says
why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import F

from timba.db.errors import drop_connection, is_database_outage, is_disk_full, log_outage
from timba.db.transactions import retry_on_deadlock
from timba.events.outbox import publish
from timba.files.events import file_event
from timba.files.indexing import add_text
from timba.files.leases import (
    MAX_ATTEMPTS,
    WorkerStopping,
    from_now,
    heartbeat,
    lease_end,
    renewal_interval,
)
from timba.files.models import File, OcrJob
from timba.files.ocr import CHANNEL, claim_ocr_job, claimed_job, ocr_languages, update_job
from timba.files.previews import StoredFile
from timba.files.processors.base import FileRefused, Findings, ReadResult
from timba.files.processors.ocr import find_pictures, read_picture
from timba.files.processors.text_collector import TEXT
from timba.files.sandbox import (
    INTERRUPTED,
    TIMED_OUT,
    SandboxUnavailable,
    close_sandbox,
    run_in_sandbox,
)
from timba.files.storage import FileDamaged, StorageUnavailable
from timba.wakeup import Listener

# Pictures that are read of one PDF, and CPU seconds that each of them may take.
MAX_PICTURES: Final = 20
PICTURE_SECONDS: Final = 20
TOO_MANY: Final = "Only the first {} of {} scanned pages were read."
TOO_SLOW: Final = "Not read, because it took too long: {}."
NOT_READ: Final = "Could not be read: {}."
LOST: Final = "Reading its pictures was cut off three times."
UNREADABLE: Final = "Its pictures could not be read."
_RETRY_DELAY: Final = timedelta(seconds=5)
_POLL_SECONDS: Final = 1.0
_ERROR_PAUSE_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)


class _Interrupted(Exception):
    """The child was killed from outside, as when memory runs out: no picture is at fault."""


@dataclass(frozen=True, slots=True)
class _Source(StoredFile):
    is_stopping: Callable[[], bool]

    def progress(self, fraction: float, *, rows: int | None = None) -> None:  # noqa: ARG002 - its job has neither
        """Raise WorkerStopping when the worker shuts down."""
        if self.is_stopping():
            raise WorkerStopping


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What was read in the pictures of a file, and why something was not."""

    pages: int = 0
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """Return what the file's result says."""
        return {
            "pages": self.pages,
            "words": len("".join(self.texts).split()),
            "languages": list(ocr_languages()),
            "note": " ".join(self.notes) or None,
        }


class OcrWorker:
    """Reads the pictures of waiting files until `stop` is called."""

    def __init__(self) -> None:
        self._is_stopping = False
        self._last_client = 0

    def stop(self) -> None:
        """Make `run` return soon; safe in a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Work until `stop`; a claimed job is then released without counting the attempt."""
        listener = Listener(CHANNEL)
        try:
            while not self._is_stopping:
                try:
                    if not self.process_next():
                        listener.wait(_POLL_SECONDS)
                except Exception as error:  # noqa: BLE001 - a job is claimed again after its lease
                    if is_database_outage(error):
                        log_outage(error)
                    else:
                        _log.exception("ocr_interrupted")
                    drop_connection()
                    listener.wait(_ERROR_PAUSE_SECONDS)
        finally:
            listener.close()
            close_sandbox()
            drop_connection()

    def process_next(self) -> bool:
        """Process the next job; return False where there is none, or where it has to wait."""
        job = claim_ocr_job(after=self._last_client)
        if job is None:
            return False
        self._last_client = job.client_id
        return _process(job, lambda: self._is_stopping)


def _process(job: OcrJob, is_stopping: Callable[[], bool]) -> bool:
    """Read the pictures of a claimed job's file, and record what was read.

    Returns False where the job waits for something that the next one would miss as well.
    """
    with structlog.contextvars.bound_contextvars(file_id=str(job.file_id), client_id=job.client_id):
        try:
            _record(job, _read_claimed(job, is_stopping))
        except WorkerStopping:
            update_job(job, attempts=F("attempts") - 1, lease_until=None)
        except (FileDamaged, FileNotFoundError, FileRefused):
            _log.warning("pictures_not_read", exc_info=True)
            _record(job, _Reading(notes=[UNREADABLE]))
        except _Interrupted:
            update_job(job, lease_until=from_now(_RETRY_DELAY))
            return False
        except Exception as error:
            is_unavailable = isinstance(error, StorageUnavailable | SandboxUnavailable)
            if not is_unavailable and not is_disk_full(error):
                raise
            _log.warning("ocr_waits", exc_info=True)
            update_job(job, attempts=F("attempts") - 1, lease_until=from_now(_RETRY_DELAY))
            return False
    return True


def _read_claimed(job: OcrJob, is_stopping: Callable[[], bool]) -> _Reading:
    """Read the pictures of a job's file under its lease, unless that was cut off too often."""
    if job.attempts > MAX_ATTEMPTS:
        return _Reading(notes=[LOST])
    renew = partial(update_job, job, lease_until=lease_end())
    with heartbeat(renew, seconds=renewal_interval()):
        return _read(_Source(job.file, is_stopping))


def _read(source: _Source) -> _Reading:
    """Read a photo, or the pages of a PDF without text of their own."""
    is_photo = source.file.kind == File.Kind.PHOTO
    pages: Sequence[int | None] = [None] if is_photo else _find_pictures(source)
    reading = _Reading()
    slow: list[str] = []
    unread: list[str] = []
    for page in pages[:MAX_PICTURES]:
        source.progress(0)
        try:
            text = _run(read_picture, source, page).objects.get(TEXT, b"")
        except FileRefused as refusal:
            _log.info("picture_not_read", page=page, reason=str(refusal))
            name = "the photo" if page is None else f"page {page}"
            (slow if str(refusal) == TIMED_OUT else unread).append(name)
        else:
            reading.pages += 1
            reading.texts.append(text.decode(errors="replace"))
    if len(pages) > MAX_PICTURES:
        reading.notes.append(TOO_MANY.format(MAX_PICTURES, len(pages)))
    for sentence, names in ((TOO_SLOW, slow), (NOT_READ, unread)):
        if names:
            reading.notes.append(sentence.format(", ".join(names)))
    return reading


def _find_pictures(source: _Source) -> Sequence[int]:
    """Return the pages to read; what the sandbox returns is as untrusted as the file."""
    pages = _run(find_pictures, source, None).findings.get("pages")
    return [page for page in pages if type(page) is int] if isinstance(pages, list) else []


def _run(
    reader: Callable[[Any], Findings | ReadResult], source: _Source, page: int | None
) -> ReadResult:
    languages = "+".join(ocr_languages())
    extra = json.dumps({"languages": languages, "page": page}).encode()
    try:
        return run_in_sandbox(
            reader, source, extra=extra, cpu_seconds=PICTURE_SECONDS, languages=languages
        )
    except FileRefused as refusal:
        if str(refusal) == INTERRUPTED:
            raise _Interrupted from refusal
        raise


@retry_on_deadlock
def _record(job: OcrJob, reading: _Reading) -> None:
    """Add the text to the file's and the numbers to its result, unless the job is outdated.

    Of a photo without text nothing is said: few photos are of papers.
    """
    with transaction.atomic():
        rows = File.unscoped.live().filter(pk=job.file_id, run=job.run)
        file = rows.filter(status=File.Status.SUCCESS).select_for_update().first()
        if file is None or not claimed_job(job).delete()[0]:
            return
        text = "".join(reading.texts)
        add_text(file, text)
        if reading.notes or text or (reading.pages and file.kind == File.Kind.DOCUMENT):
            file.result = {**file.result, "ocr": reading.result()}
            file.save(update_fields=["result"])
            publish(file_event("update", file, actor=None))
    _log.info("pictures_read", file_id=str(file.pk), pages=reading.pages, characters=len(text))
