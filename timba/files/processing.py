"""Processes one file: claim it, read it, record what was found, settle it; at most once in effect.

A claim is a lease with a fencing token. A worker that was paused beyond its lease wakes up as a
stranger: every write of its is guarded by its token. All times of leases are the database's.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO, Final

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from timba.events.outbox import publish
from timba.files.catalogue import processors
from timba.files.events import file_event
from timba.files.models import Derivative, File
from timba.files.processors.base import FileRefused, Findings, ObjectWriter, Processor, Superseded
from timba.files.sandbox import read_in_sandbox
from timba.files.storage import new_key, store
from timba.files.streams import FileDamaged, VerifiedStream
from timba.files.texts import clean, clean_text

MAX_ATTEMPTS: Final = 3
LOST: Final = "Reading it was cut off three times. The file is safe; try again."
DAMAGED: Final = "Its bytes are not the ones that were uploaded. Upload the file again."
MISSING: Final = "Its bytes cannot be found. Upload the file again."
UNEXPECTED: Final = "It could not be read. The file is safe; try again, or ask for help."
TOO_HEAVY: Final = "It needs more memory than one file may use."
_RENEWALS_PER_LEASE: Final = 6
_log = structlog.get_logger(__name__)


class Stopping(Exception):
    """The worker is asked to stop: the file goes back to the queue as it was."""


@dataclass(kw_only=True)
class Run:
    """One claim of a file; a Job for its processor."""

    file: File
    stopping: Any = None
    _renewed: float = 0.0

    @property
    def file_id(self) -> uuid.UUID:
        return self.file.pk

    @property
    def client_id(self) -> int:
        return self.file.owner_id

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def size(self) -> int:
        return self.file.size

    @property
    def run(self) -> int:
        return self.file.fence

    def open(self) -> BinaryIO:
        stream = store().open_bytes(self.file.storage_key)
        return VerifiedStream(stream, sha256=self.file.sha256)

    def derive(self, role: str) -> ObjectWriter:
        derivative = Derivative.objects.create(
            file=self.file, run=self.run, role=role, storage_key=new_key()
        )
        return store().create(derivative.storage_key)

    def progress(self, fraction: float) -> None:
        if self.stopping is not None and self.stopping.is_set():
            raise Stopping
        now = time.monotonic()
        if now - self._renewed < settings.TIMBA_LEASE_SECONDS / _RENEWALS_PER_LEASE:
            return
        self._renewed = now
        renewed = self.own_row().update(
            lease_until=_lease_end(), progress=min(max(fraction, 0.0), 1.0)
        )
        if not renewed:
            raise Superseded

    def own_row(self) -> models.QuerySet[File]:
        """Return the file's row while it is this run's to write."""
        return File.unscoped.filter(
            pk=self.file.pk,
            fence=self.file.fence,
            status=File.Status.PENDING,
            deleted_at__isnull=True,
        )


def next_waiting() -> uuid.UUID | None:
    """Return the file that has waited longest, or None."""
    return _claimable().order_by("uploaded_at").values_list("pk", flat=True).first()


def process_file(file_id: uuid.UUID, *, stopping: Any = None) -> bool:
    """Process a file if it waits; return whether it was this call that took it.

    Raises nothing that a file can cause: not even MemoryError, which would end a Celery worker.
    """
    file = _claim(file_id)
    if file is None:
        return False
    with structlog.contextvars.bound_contextvars(
        request_id=file.request_id, file_id=str(file.pk), client_id=file.client_id
    ):
        run = Run(file=file, stopping=stopping)
        try:
            _process(run, processors()[file.kind])
        except Superseded:
            _log.info("run_superseded", run=run.run)
        except Stopping:
            # Not the file's fault: the attempt is given back with the lease.
            run.own_row().update(lease_until=None, attempts=models.F("attempts") - 1)
    return True


def give_up(file_id: uuid.UUID) -> None:
    """End a file whose workers were lost too often."""
    file = File.unscoped.filter(pk=file_id).first()
    if file is not None:
        with structlog.contextvars.bound_contextvars(request_id=file.request_id):
            run = Run(file=file)
            if run.own_row().filter(lease_until__lt=Now()).exists():
                _log.warning("file_lost", file_id=str(file_id))
                _settle(run, File.Status.FAILURE, findings=None, error=LOST, seconds=0.0)


def _claimable() -> models.QuerySet[File]:
    free = models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now())
    return File.unscoped.filter(
        free,
        status=File.Status.PENDING,
        deleted_at__isnull=True,
        attempts__lt=MAX_ATTEMPTS,
    )


def _claim(file_id: uuid.UUID) -> File | None:
    """Take the lease with a new fencing token; count the attempt before any work is done."""
    waiting = _claimable().filter(pk=file_id).values_list("fence", flat=True).first()
    if waiting is None:
        return None
    taken = (
        _claimable()
        .filter(pk=file_id, fence=waiting)
        .update(fence=waiting + 1, attempts=models.F("attempts") + 1, lease_until=_lease_end())
    )
    if not taken:
        return None
    return File.unscoped.filter(pk=file_id, fence=waiting + 1).first()


def _lease_end() -> Any:
    return models.ExpressionWrapper(
        Now() + timedelta(seconds=settings.TIMBA_LEASE_SECONDS),
        output_field=models.DateTimeField(),
    )


def _process(run: Run, processor: Processor) -> None:
    started = time.monotonic()
    findings: Findings | None = None
    try:
        findings = read_in_sandbox(processor, run) if processor.sandboxed else processor.read(run)
        error = ""
    except FileRefused as refusal:
        findings, error = refusal.findings, str(refusal)
    except (Superseded, Stopping):
        raise
    except FileDamaged:
        _log.error("file_damaged", storage_key=run.file.storage_key)
        error = DAMAGED
    except FileNotFoundError:
        _log.exception("file_missing", storage_key=run.file.storage_key)
        error = MISSING
    except MemoryError:
        _log.exception("file_too_heavy")
        error = TOO_HEAVY
    except (Exception, SystemExit):  # noqa: BLE001 - whatever a file raises, the worker goes on
        _log.exception("file_not_processed")
        error = UNEXPECTED
    status = File.Status.FAILURE if error else File.Status.SUCCESS
    _settle(run, status, findings=findings, error=error, seconds=time.monotonic() - started)


def _settle(
    run: Run, status: str, *, findings: Findings | None, error: str, seconds: float
) -> None:
    """Write the outcome, its effects and its event in one transaction, while the file is ours."""
    with transaction.atomic():
        file = run.own_row().select_for_update().first()
        if file is None:
            raise Superseded
        file.status, file.error = status, clean_text(error)[:1000]
        file.progress, file.lease_until = 1.0, None
        file.run, file.processed_at = run.run, timezone.now()
        if findings is not None:
            file.result = {
                "id": str(file.pk),
                "name": file.name,
                "execution_time": round(seconds, 3),
                "random_number": file.random_number,
                **clean(dict(findings)),
            }
        if status == File.Status.SUCCESS:
            processors()[file.kind].record(file, findings or {})
        else:
            file.live_digest = None
        file.save()
        publish(file_event(status.lower(), file, actor=None))
    _log.info("file_settled", status=status, seconds=round(seconds, 3))
