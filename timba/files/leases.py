"""Leases with fencing tokens: one worker at a time processes a file, and no lost one writes to it.

A claim takes a lease, which a thread of the worker renews for as long as its process lives. Every
claim raises the file's fencing token, and a run writes only where the token is still its own, so a
worker that was paused beyond its lease changes nothing. All times are the database's.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO, Final

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now

from timba.db.errors import drop_connection
from timba.db.transactions import retry_on_deadlock
from timba.failpoints import failpoint
from timba.files.models import Derivative, File, FileQuerySet
from timba.files.processors.base import ObjectWriter, Superseded
from timba.files.profiles import reading_input
from timba.files.storage import VerifiedStream, new_key, store

MAX_ATTEMPTS: Final = 3
_RENEWALS_PER_LEASE: Final = 6
# Progress is written at most so often, so that it costs nothing while a file is read in less time.
_PROGRESS_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


def waiting_files() -> FileQuerySet:
    """Return the files that can be claimed."""
    free = models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now())
    return pending_files().filter(free, attempts__lt=MAX_ATTEMPTS)


def lost_files() -> FileQuerySet:
    """Return the files whose last attempt ended without a result."""
    return pending_files().filter(lease_until__lt=Now(), attempts__gte=MAX_ATTEMPTS)


def pending_files() -> FileQuerySet:
    """Return the files without an outcome, claimed or not."""
    files: FileQuerySet = File.unscoped.filter(status=File.Status.PENDING, deleted_at__isnull=True)
    return files


@retry_on_deadlock
def claim(file_id: uuid.UUID) -> File | None:
    """Claim a waiting file with a new fencing token; return None where it cannot be claimed.

    The attempt is counted before any work is done, so that a file that kills its workers is not
    tried for ever.
    """
    waiting = waiting_files().filter(pk=file_id)
    token = waiting.values_list("fencing_token", flat=True).first()
    if token is None:
        return None
    claimed = waiting.filter(fencing_token=token).update(
        fencing_token=token + 1,
        attempts=models.F("attempts") + 1,
        lease_until=lease_end(),
        progress=0,
        rows_read=None,
    )
    if not claimed:
        return None
    return pending_files().filter(pk=file_id, fencing_token=token + 1).first()


def lease_end() -> Any:
    """Return the database expression for the end of a lease that begins now."""
    return from_now(timedelta(seconds=settings.TIMBA_LEASE_SECONDS))


def from_now(delay: timedelta) -> Any:
    """Return the database expression for a moment in the future."""
    return models.ExpressionWrapper(Now() + delay, output_field=models.DateTimeField())


def renewal_interval() -> float:
    """Return how many seconds pass between two renewals of a lease."""
    seconds: int = settings.TIMBA_LEASE_SECONDS
    return seconds / _RENEWALS_PER_LEASE


@contextlib.contextmanager
def heartbeat(renew: Callable[[], object], *, seconds: float) -> Iterator[None]:
    """Call `renew` every `seconds` in a thread until the block ends; no call outlives the block."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(renew, seconds, ended), name="heartbeat")
    thread.daemon = True
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(renew: Callable[[], object], seconds: float, ended: threading.Event) -> None:
    while not ended.wait(seconds):
        try:
            renew()
        except Exception:  # noqa: BLE001 - the database is down or busy: the next call may succeed
            _log.warning("lease_renewal_failed", exc_info=True)
        finally:
            drop_connection()


class DerivativeWriter(ObjectWriter):
    """Writes a derivative's object, and records its size and hash once it is complete."""

    def __init__(self, writer: ObjectWriter, *, derivative_id: int) -> None:
        super().__init__()
        self._writer, self._derivative_id = writer, derivative_id
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return self._writer.write(data) or 0

    def tell(self) -> int:
        return self._writer.tell()

    def commit(self) -> None:
        size = self.tell()
        self._writer.commit()
        self._record(size=size, sha256=self._digest.hexdigest())

    def abort(self) -> None:
        self._writer.abort()

    def close(self) -> None:
        self._writer.close()
        super().close()

    @retry_on_deadlock
    def _record(self, **values: Any) -> None:
        Derivative.objects.filter(pk=self._derivative_id).update(**values)


class WorkerStopping(Exception):
    """The worker is shutting down: the file returns to the queue as it was."""


@dataclass(kw_only=True)
class Run:
    """One claim of a file: the Job that its processor gets."""

    file: File
    stopping: Any = None
    _written_at: float = field(default_factory=time.monotonic)
    _created_keys: list[str] = field(default_factory=list)

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
        derivative = self._create_derivative(role)
        failpoint("processing.derivative_named")
        writer: ObjectWriter = store().create(derivative.storage_key)
        failpoint("processing.derivative_begun")
        writer = DerivativeWriter(writer, derivative_id=derivative.pk)
        self._created_keys.append(derivative.storage_key)
        # The sweeper may have deleted the row before there was an object to delete with it.
        if not self.fenced_row().exists():
            writer.abort()
            raise Superseded
        return writer

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        with transaction.atomic():
            if not self.fenced_row().update(lease_until=lease_end()):
                raise Superseded
            yield

    def reading_input(self) -> Mapping[str, Any]:
        return reading_input(self.file)

    def progress(self, fraction: float, *, rows: int | None = None) -> None:
        if self.stopping is not None and self.stopping.is_set():
            raise WorkerStopping
        now = time.monotonic()
        if now - self._written_at < min(_PROGRESS_SECONDS, renewal_interval()):
            return
        self._written_at = now
        counted = {} if rows is None else {"rows_read": rows}
        progress = min(max(fraction, 0.0), 1.0)
        if not self._update(lease_until=lease_end(), progress=progress, **counted):
            raise Superseded

    def renew(self) -> None:
        """Renew the lease; where it is lost, make the next `progress` check it and raise."""
        if not self._update(lease_until=lease_end()):
            self._written_at = -math.inf

    def delete_created_objects(self) -> None:
        """Delete the objects of this run, which the sweeper may have missed: errors are ignored."""
        for key in self._created_keys:
            with contextlib.suppress(OSError):
                store().delete(key)

    def release(self, *, delay: timedelta | None = None) -> None:
        """End the lease, at once or after `delay`, without counting the attempt."""
        lease_until = None if delay is None else from_now(delay)
        self._update(lease_until=lease_until, attempts=models.F("attempts") - 1)

    def fenced_row(self) -> FileQuerySet:
        """Return the file's row as a queryset that is empty once the fencing token is outdated."""
        return pending_files().filter(pk=self.file.pk, fencing_token=self.file.fencing_token)

    @retry_on_deadlock
    def _create_derivative(self, role: str) -> Derivative:
        with self.writing():
            return Derivative.objects.create(
                file=self.file, run=self.run, role=role, storage_key=new_key()
            )

    @retry_on_deadlock
    def _update(self, **values: Any) -> int:
        return self.fenced_row().update(**values)
