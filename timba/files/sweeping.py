"""Removes what crashes leave behind: abandoned uploads, orphaned objects, files of lost workers.

Each step finds its work in the rows, and may be killed at any point. It takes a batch: first the
rows that have not failed before, longest due first, then those that have, longest ago first. Rows
that always fail therefore do not starve the others.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from timba.accounts.subscriptions import lock_subscription
from timba.db.errors import is_database_outage, is_serialization_failure
from timba.db.transactions import retry_on_deadlock
from timba.failpoints import failpoint
from timba.files.erasure import begin_erasure, erasure_is_held, expired_files
from timba.files.leases import lost_files, waiting_files
from timba.files.models import Derivative, File
from timba.files.processing import fail_lost_file
from timba.files.processors.base import DiscardsRuns
from timba.files.registry import processors
from timba.files.storage import StorageUnavailable, store

# A store may still carry out requests of a process that is gone. Its objects are deleted, with the
# row that names them, once no such request can arrive any more.
ABANDONED_AFTER: Final = timedelta(hours=1)
RENOTIFY_AFTER: Final = timedelta(seconds=15)
_BATCH: Final = 500
_MAX_NOTIFICATIONS: Final = 50
_log = structlog.get_logger(__name__)
T = TypeVar("T", bound=models.Model)


def sweep_files(*, stopping: Any = None) -> None:
    """Run each step once, then delete expired rows of other apps.

    An error that one row causes is logged, and the other rows are swept. While the object store is
    unavailable only lost files are swept, which needs no store. Once `stopping` is set, no other
    row is begun.
    """
    try:
        _sweep(_batch(lost_files(), due="lease_until"), _fail_lost_file, stopping)
        _sweep(_batch(_abandoned_uploads(), due="touched_at"), _delete_upload, stopping)
        _sweep(_batch(_orphaned_derivatives(), due="created_at"), _delete_derivative, stopping)
        _sweep(_batch(expired_files(), due="deleted_at"), _delete_file, stopping)
    except (StorageUnavailable, ImproperlyConfigured):
        _log.warning("storage_unavailable", exc_info=True)
    _run_purges()


def _run_purges() -> None:
    """Call each function that settings list in PURGES; the failure of one is logged."""
    for path in settings.PURGES:
        try:
            import_string(path)()
        except Exception:  # noqa: BLE001 - the next sweep calls it again
            _log.exception("purge_failed", purge=path)


def claim_unnotified(*, queue: str, queued_messages: int) -> Sequence[uuid.UUID]:
    """Return the oldest waiting files of a queue whose notification was lost; mark them notified.

    A queue lacks as many messages as it has more waiting files than `queued_messages`. At most 50
    are returned, because each processed file notifies of the next one: notifying of all files in
    every sweep would flood the broker.
    """
    waiting = waiting_files().filter(queue=queue)
    missing = min(waiting.count() - queued_messages, _MAX_NOTIFICATIONS)
    if missing <= 0:
        return []
    now = timezone.now()
    not_recently = models.Q(notified_at__isnull=True) | models.Q(
        notified_at__lt=now - RENOTIFY_AFTER
    )
    oldest = waiting.filter(not_recently).order_by("uploaded_at")
    file_ids = list(oldest.values_list("pk", flat=True)[:missing])
    File.unscoped.filter(pk__in=file_ids).update(notified_at=now)
    failpoint("sweeping.notifications_recorded")
    return file_ids


def _batch(rows: models.QuerySet[T], *, due: str) -> list[T]:
    fresh = list(rows.filter(sweep_failed_at=None).order_by(due)[:_BATCH])
    failed = rows.filter(sweep_failed_at__isnull=False).order_by("sweep_failed_at")
    return [*fresh, *failed[: _BATCH - len(fresh)]]


def _sweep(rows: Iterable[T], step: Callable[[T], None], stopping: Any) -> None:
    for row in rows:
        if stopping is not None and stopping.is_set():
            return
        try:
            step(row)
        except Exception as error:  # a later sweep tries the row again
            if isinstance(error, StorageUnavailable):
                # Raises unless the store refuses only this object.
                store().check()
            if is_database_outage(error) and not is_serialization_failure(error):
                raise
            _log.exception("sweep_failed", step=step.__name__, row=str(row))
            failed = type(row)._base_manager.filter(pk=row.pk)  # noqa: SLF001 - Django's own name
            failed.update(sweep_failed_at=timezone.now())


def _fail_lost_file(file: File) -> None:
    fail_lost_file(file.pk)


def _abandoned_uploads() -> models.QuerySet[File]:
    long_ago = timezone.now() - ABANDONED_AFTER
    return File.unscoped.filter(status=File.Status.RECEIVING, touched_at__lt=long_ago)


def _delete_upload(file: File) -> None:
    """Mark the upload as deleted first, so that it cannot be accepted meanwhile."""
    rows = File.unscoped.filter(pk=file.pk, status=File.Status.RECEIVING)
    if rows.filter(touched_at=file.touched_at).update(deleted_at=timezone.now()):
        failpoint("sweeping.upload_abandoned")
        store().purge(file.storage_key)
        failpoint("sweeping.upload_purged")
        rows.delete()
        _log.info("abandoned_upload_deleted", file_id=str(file.pk))


def _orphaned_derivatives() -> models.QuerySet[Derivative]:
    """Return the derivatives of runs that are neither their file's current run nor in progress.

    Those of a run that was just replaced are left out: a request may still read them.
    """
    long_ago = timezone.now() - ABANDONED_AFTER
    not_just_settled = models.Q(file__processed_at=None) | models.Q(file__processed_at__lt=long_ago)
    orphaned = Derivative.objects.filter(
        ~erasure_is_held(), not_just_settled, is_current=False, created_at__lt=long_ago
    ).exclude(file__status=File.Status.PENDING, run=models.F("file__fencing_token"))
    return orphaned.select_related("file")


def _delete_derivative(derivative: Derivative) -> None:
    """Delete the object, then what the run has staged, then the row that names both."""
    store().purge(derivative.storage_key)
    failpoint("sweeping.run_purged")
    processor = processors()[derivative.file.kind]
    if isinstance(processor, DiscardsRuns):
        processor.discard_run(derivative.file_id, derivative.run)
    failpoint("sweeping.totals_discarded")
    derivative.delete()


def _delete_file(file: File) -> None:
    """Erase the objects of a file, then its row, unless it was restored meanwhile."""
    if not begin_erasure(file):
        return
    failpoint("sweeping.erasure_begun")
    for derivative in file.derivatives.all():
        _delete_derivative(derivative)
    failpoint("sweeping.derivatives_erased")
    store().delete(file.storage_key)
    failpoint("sweeping.original_erased")
    _delete_row(file.pk)
    _log.info("deleted_file_purged", file_id=str(file.pk))


@retry_on_deadlock
def _delete_row(file_id: uuid.UUID) -> None:
    """Delete the row, unless another sweeper has, and count the file's bytes no longer."""
    with transaction.atomic():
        file = File.unscoped.select_for_update().filter(pk=file_id).first()
        if file is not None:
            file.delete()
            subscription = lock_subscription(file.owner_id)
            subscription.used_bytes -= file.size
            subscription.save(update_fields=["used_bytes"])
