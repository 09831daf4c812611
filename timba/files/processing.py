"""Processes one file: claim it, read it, record what was found, settle it; at most once in effect.

A claim is a lease with a fencing token. A worker that was paused beyond its lease wakes up as a
stranger: every write of its is guarded by its token. All times of leases are the database's.
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, Final

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from timba.db.outages import is_database_outage
from timba.db.text import clean, clean_text
from timba.db.transactions import retry_on_deadlock
from timba.events.outbox import publish
from timba.failpoints import failpoint
from timba.files.events import file_event
from timba.files.heartbeat import heartbeat
from timba.files.models import Derivative, File, FileQuerySet
from timba.files.processors.base import (
    FileRefused,
    Findings,
    Locks,
    ObjectWriter,
    Outdated,
    ReadResult,
    Stages,
    Superseded,
)
from timba.files.registry import processors
from timba.files.sandbox import read_in_sandbox
from timba.files.storage import StorageUnavailable, new_key, store
from timba.files.streams import FileDamaged, VerifiedStream

MAX_ATTEMPTS: Final = 3
LOST: Final = "Reading it was cut off three times. The file is safe; try again."
DAMAGED: Final = "Its bytes are not the ones that were uploaded. Upload the file again."
MISSING: Final = "Its bytes cannot be found. Upload the file again."
STORAGE_AWAY: Final = "The place where files are kept did not answer. The file is safe; try again."
UNEXPECTED: Final = "It could not be read. The file is safe; try again, or ask for help."
TOO_HEAVY: Final = "It needs more memory than one file may use."
_RENEWALS_PER_LEASE: Final = 6
# How long a file waits for a store that is away, before it is tried again.
_STORE_PAUSE: Final = timedelta(seconds=5)
_log = structlog.get_logger(__name__)


class Stopping(Exception):
    """The worker is asked to stop: the file goes back to the queue as it was."""


@dataclass(kw_only=True)
class Run:
    """One claim of a file; a Job for its processor."""

    file: File
    stopping: Any = None
    _renewed: float = -math.inf
    _made: list[str] = field(default_factory=list)

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
        return self.file.fencing_token

    def open(self) -> BinaryIO:
        stream = store().open_bytes(self.file.storage_key)
        return VerifiedStream(stream, sha256=self.file.sha256)

    def derive(self, role: str) -> ObjectWriter:
        derivative = self._name_derivative(role)
        failpoint("processing.derivative_named")
        writer = store().create(derivative.storage_key)
        failpoint("processing.derivative_begun")
        self._made.append(derivative.storage_key)
        # The row may have been swept before there was an object that could be swept with it.
        if not self.own_row().exists():
            writer.abort()
            raise Superseded
        return writer

    @retry_on_deadlock
    def _name_derivative(self, role: str) -> Derivative:
        with self.writing():
            return Derivative.objects.create(
                file=self.file, run=self.run, role=role, storage_key=new_key()
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        with transaction.atomic():
            if not self.own_row().update(lease_until=_lease_end()):
                raise Superseded
            yield

    def progress(self, fraction: float) -> None:
        if self.stopping is not None and self.stopping.is_set():
            raise Stopping
        now = time.monotonic()
        if now - self._renewed < _renewed_every():
            return
        self._renewed = now
        if not self._update(lease_until=_lease_end(), progress=min(max(fraction, 0.0), 1.0)):
            raise Superseded

    def renew(self) -> None:
        """Make the lease last longer; where it is lost, have `progress` find out next time."""
        if not self._update(lease_until=_lease_end()):
            self._renewed = -math.inf

    def clear_away(self) -> None:
        """Erase what this run has made in vain, perhaps after it was swept."""
        for key in self._made:
            with contextlib.suppress(OSError):
                store().delete(key)

    def give_back(self, *, wait: timedelta | None = None) -> None:
        """Let the file be claimed again, at once or after a while, as if this run had not been."""
        later = None if wait is None else _from_now(wait)
        self._update(lease_until=later, attempts=models.F("attempts") - 1)

    @retry_on_deadlock
    def _update(self, **values: Any) -> int:
        return self.own_row().update(**values)

    def own_row(self) -> FileQuerySet:
        """Return the file's row while it is this run's to write."""
        return _pending().filter(pk=self.file.pk, fencing_token=self.file.fencing_token)


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """The outcome of reading; `keep_objects` when the objects that the run made are worth keeping.

    `lock` locks what its effects need before the file is locked.
    """

    findings: Findings | None = None
    error: str = ""
    keep_objects: bool = False
    lock: Callable[[], None] = _nothing


def waiting_files() -> FileQuerySet:
    """Return the files that may be claimed."""
    free = models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now())
    return _pending().filter(free, attempts__lt=MAX_ATTEMPTS)


def lost_files() -> FileQuerySet:
    """Return the files whose workers were lost too often."""
    return _pending().filter(lease_until__lt=Now(), attempts__gte=MAX_ATTEMPTS)


def process_file(file_id: uuid.UUID, *, stopping: Any = None) -> bool:
    """Process a file if it waits; return whether it was this call that took it."""
    file = claim(file_id)
    if file is not None:
        process_claimed(file, stopping=stopping)
    return file is not None


def process_claimed(file: File, *, stopping: Any = None) -> None:
    """Process a file that this worker has just claimed.

    Raises nothing that a file can cause: not even MemoryError, which would end a Celery worker.
    Raises the database's error while that is out of service: no fault of the file, which is taken
    again after its lease.
    """
    failpoint("processing.claimed")
    with structlog.contextvars.bound_contextvars(
        request_id=file.request_id, file_id=str(file.pk), client_id=file.client_id
    ):
        run = Run(file=file, stopping=stopping)
        try:
            with heartbeat(run.renew, seconds=_renewed_every()):
                _process(run)
        except Superseded:
            _log.info("run_superseded", run=run.run)
            run.clear_away()
        except Outdated:
            _log.info("run_outdated", run=run.run)
            run.clear_away()
            run.give_back()
        except Stopping:
            run.give_back()
        except StorageUnavailable:
            _log.warning("store_away", exc_info=True)
            run.give_back(wait=_STORE_PAUSE)


def give_up(file_id: uuid.UUID) -> None:
    """End a file whose workers were lost too often."""
    # Superseded: its last worker was only slow and has settled it, or somebody deleted it.
    with contextlib.suppress(Superseded):
        _settle(lost_files().filter(pk=file_id), _Outcome(error=LOST), seconds=0.0)


def _pending() -> FileQuerySet:
    files: FileQuerySet = File.unscoped.filter(status=File.Status.PENDING, deleted_at__isnull=True)
    return files


@retry_on_deadlock
def claim(file_id: uuid.UUID) -> File | None:
    """Take the lease with a new fencing token; count the attempt before any work is done."""
    waiting = waiting_files().filter(pk=file_id)
    fence = waiting.values_list("fencing_token", flat=True).first()
    if fence is None:
        return None
    taken = waiting.filter(fencing_token=fence).update(
        fencing_token=fence + 1, attempts=models.F("attempts") + 1, lease_until=_lease_end()
    )
    return _pending().filter(pk=file_id, fencing_token=fence + 1).first() if taken else None


def _renewed_every() -> float:
    seconds: int = settings.TIMBA_LEASE_SECONDS
    return seconds / _RENEWALS_PER_LEASE


def _lease_end() -> Any:
    return _from_now(timedelta(seconds=settings.TIMBA_LEASE_SECONDS))


def _from_now(wait: timedelta) -> Any:
    return models.ExpressionWrapper(Now() + wait, output_field=models.DateTimeField())


def _is_run(run: int | None) -> Any:
    return models.ExpressionWrapper(models.Q(run=run), output_field=models.BooleanField())


def _process(run: Run) -> None:
    started = time.monotonic()
    outcome = _read(run)
    failpoint("processing.read")
    seconds = time.monotonic() - started
    try:
        _settle(run.own_row(), outcome, seconds=seconds)
    except (Superseded, Outdated):
        raise
    except Exception as problem:  # whatever was found, the file ends, and the worker goes on
        if is_database_outage(problem):
            raise
        _log.exception("findings_not_recorded")
        _settle(run.own_row(), _Outcome(error=UNEXPECTED), seconds=seconds)


def _read(run: Run) -> _Outcome:
    """Return what the file's processor says of it, or why it could say nothing."""
    try:
        processor = processors()[run.file.kind]
        read = read_in_sandbox(processor, run) if processor.sandboxed else processor.read(run)
        made = read if isinstance(read, ReadResult) else ReadResult(findings=read)
        findings = processor.stage(run, made) if isinstance(processor, Stages) else made.findings
        lock = partial(processor.lock, findings) if isinstance(processor, Locks) else _nothing
        return _Outcome(findings=findings, keep_objects=True, lock=lock)
    except FileRefused as refusal:
        return _Outcome(findings=refusal.findings, error=str(refusal), keep_objects=True)
    except (Superseded, Stopping, StorageUnavailable):
        raise
    except FileDamaged:
        _log.exception("file_damaged", storage_key=run.file.storage_key)
        return _Outcome(error=DAMAGED)
    except FileNotFoundError:
        _log.exception("file_missing", storage_key=run.file.storage_key)
        return _Outcome(error=MISSING)
    except OSError:
        _log.exception("storage_away", storage_key=run.file.storage_key)
        return _Outcome(error=STORAGE_AWAY)
    except MemoryError:
        _log.exception("file_too_heavy")
        return _Outcome(error=TOO_HEAVY)
    except (Exception, SystemExit) as problem:  # whatever a file raises, the worker goes on
        if is_database_outage(problem):
            raise
        _log.exception("file_not_processed")
        return _Outcome(error=UNEXPECTED)


def _facts(kind: str, findings: Findings) -> dict[str, Any]:
    """Return those of the findings that callers see."""
    shown = processors()[kind].result_fields
    return {name: findings[name] for name in (findings if shown is None else shown)}


@retry_on_deadlock
def _settle(rows: FileQuerySet, outcome: _Outcome, *, seconds: float) -> None:
    """Write the outcome, its effects and its event in one transaction, while the row is there.

    Raises Superseded when it is not.
    """
    with transaction.atomic():
        outcome.lock()
        file = rows.select_for_update().first()
        if file is None:
            raise Superseded
        file.status = File.Status.FAILURE if outcome.error else File.Status.SUCCESS
        file.error = clean_text(outcome.error)[:1000]
        file.progress, file.lease_until, file.queue = 1.0, None, ""
        file.run = file.fencing_token if outcome.keep_objects else None
        file.processed_at = timezone.now()
        if outcome.findings is not None:
            file.result = {
                "id": str(file.pk),
                "name": file.name,
                "execution_time": round(seconds, 3),
                "random_number": file.random_number,
                **clean(_facts(file.kind, outcome.findings)),
            }
        if outcome.error:
            file.live_digest = None
        else:
            processors()[file.kind].record(file, outcome.findings or {})
        failpoint("processing.recorded")
        file.save()
        file.derivatives.update(is_current=_is_run(file.run))
        with structlog.contextvars.bound_contextvars(request_id=file.request_id):
            publish(file_event(file.status.lower(), file, actor=None))
        failpoint("processing.event_written")
    failpoint("processing.settled")
    _log.info("file_settled", file_id=str(file.pk), status=file.status, seconds=round(seconds, 3))
