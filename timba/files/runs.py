"""The Job that a processor gets: one claim of a file, whose writes its fencing token guards."""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

from django.db import models, transaction

from timba.db.transactions import retry_on_deadlock
from timba.failpoints import failpoint
from timba.files.leases import from_now, lease_end, pending_files, renewal_interval
from timba.files.models import Derivative, File, FileQuerySet
from timba.files.processors.base import ObjectWriter, Superseded
from timba.files.storage import VerifiedStream, new_key, store


class WorkerStopping(Exception):
    """The worker is shutting down: the file returns to the queue as it was."""


@dataclass(kw_only=True)
class Run:
    """One claim of a file: the Job that its processor gets."""

    file: File
    stopping: Any = None
    _renewed_at: float = -math.inf
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
        writer = store().create(derivative.storage_key)
        failpoint("processing.derivative_begun")
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

    def progress(self, fraction: float) -> None:
        if self.stopping is not None and self.stopping.is_set():
            raise WorkerStopping
        now = time.monotonic()
        if now - self._renewed_at < renewal_interval():
            return
        self._renewed_at = now
        if not self._update(lease_until=lease_end(), progress=min(max(fraction, 0.0), 1.0)):
            raise Superseded

    def renew(self) -> None:
        """Renew the lease; where it is lost, make the next `progress` check it and raise."""
        if not self._update(lease_until=lease_end()):
            self._renewed_at = -math.inf

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
