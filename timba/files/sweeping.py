"""Heals what crashes left: every step finds its work in rows, and may be killed at any point.

Each step takes a small batch: what has not failed yet, longest due first, then what has failed,
longest ago first. However many rows always fail, the others get their turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string

from timba.db.outages import is_database_outage, is_serialization_failure
from timba.failpoints import failpoint
from timba.files.models import Derivative, File
from timba.files.processing import give_up, lost_files, waiting_files
from timba.files.processors.base import DiscardsRuns
from timba.files.registry import processors
from timba.files.storage import StorageUnavailable, store

# A store may still carry out what it was asked by a worker, or an upload, that is gone since: what
# they made is erased, with the row that names it, once nothing can come any more.
ABANDONED_AFTER: Final = timedelta(hours=1)
RING_AGAIN_AFTER: Final = timedelta(seconds=15)
_BATCH: Final = 500
_BELLS: Final = 50
_log = structlog.get_logger(__name__)
T = TypeVar("T", bound=models.Model)


def sweep_files(*, stopping: Any = None) -> None:
    """Do one round: lost files, abandoned uploads, results of dead runs, trash, expired rows.

    Raises nothing that one file causes: the others are swept all the same. While the store is away
    only the first step is done, which needs none; once `stopping` is set, no other file is begun.
    """
    try:
        _each(_batch(lost_files(), since="lease_until"), _give_up, stopping)
        _each(_batch(_abandoned_uploads(), since="touched_at"), _remove_abandoned, stopping)
        _each(_batch(_dead_runs(), since="created_at"), _erase, stopping)
        _each(_batch(_trash(), since="deleted_at"), _erase_file, stopping)
    except (StorageUnavailable, ImproperlyConfigured):
        _log.warning("store_away", exc_info=True)
    purge_expired()


def purge_expired() -> None:
    """Delete what has expired in other apps; one that fails keeps none of the others waiting."""
    for path in settings.PURGES:
        try:
            import_string(path)()
        except Exception:  # noqa: BLE001 - tried again in the next round
            _log.exception("not_purged", purge=path)


def claim_unnotified(*, queue: str, bells: int) -> Sequence[uuid.UUID]:
    """Return the oldest files of a queue whose bell is lost, to be rung for now.

    `bells` still hang at the broker: only for so many fewer may a bell be lost, however long the
    files have been waiting. A few are enough, for whoever has processed a file rings for the next:
    ringing for every file again and again would flood the broker.
    """
    waiting = waiting_files().filter(queue=queue)
    lost = min(waiting.count() - bells, _BELLS)
    if lost <= 0:
        return []
    now = timezone.now()
    long_ago = models.Q(notified_at__isnull=True) | models.Q(notified_at__lt=now - RING_AGAIN_AFTER)
    oldest = waiting.filter(long_ago).order_by("uploaded_at")
    file_ids = list(oldest.values_list("pk", flat=True)[:lost])
    File.unscoped.filter(pk__in=file_ids).update(notified_at=now)
    failpoint("sweeping.bells_noted")
    return file_ids


def _batch(due: models.QuerySet[T], *, since: str) -> list[T]:
    fresh = list(due.filter(sweep_failed_at=None).order_by(since)[:_BATCH])
    failed = due.filter(sweep_failed_at__isnull=False).order_by("sweep_failed_at")
    return [*fresh, *failed[: _BATCH - len(fresh)]]


def _each(found: Iterable[T], heal: Callable[[T], None], stopping: Any) -> None:
    for one in found:
        if stopping is not None and stopping.is_set():
            return
        try:
            heal(one)
        except Exception as problem:  # tried again in a later round
            if isinstance(problem, StorageUnavailable):
                # A store that refuses this object alone is there for the others.
                store().check()
            if is_database_outage(problem) and not is_serialization_failure(problem):
                raise
            _log.exception("not_swept", step=heal.__name__, what=str(one))
            failed = type(one)._base_manager.filter(pk=one.pk)  # noqa: SLF001 - Django's own name
            failed.update(sweep_failed_at=timezone.now())


def _give_up(file: File) -> None:
    give_up(file.pk)


def _abandoned_uploads() -> models.QuerySet[File]:
    long_ago = timezone.now() - ABANDONED_AFTER
    return File.unscoped.filter(status=File.Status.RECEIVING, touched_at__lt=long_ago)


def _remove_abandoned(file: File) -> None:
    """Give the upload up first, so that it cannot be accepted while its bytes are erased."""
    rows = File.unscoped.filter(pk=file.pk, status=File.Status.RECEIVING)
    if rows.filter(touched_at=file.touched_at).update(deleted_at=timezone.now()):
        failpoint("sweeping.upload_given_up")
        store().purge(file.storage_key)
        failpoint("sweeping.upload_purged")
        rows.delete()
        _log.info("abandoned_upload_removed", file_id=str(file.pk))


def _dead_runs() -> models.QuerySet[Derivative]:
    """Return what runs made that lost their file: neither the current run nor the one at work."""
    long_ago = timezone.now() - ABANDONED_AFTER
    dead = Derivative.objects.filter(is_current=False, created_at__lt=long_ago).exclude(
        file__status=File.Status.PENDING, run=models.F("file__fencing_token")
    )
    return dead.select_related("file")


def _trash() -> models.QuerySet[File]:
    kept_for = timedelta(days=settings.TIMBA_TRASH_DAYS)
    return File.unscoped.filter(deleted_at__lt=timezone.now() - kept_for)


def _erase_file(file: File) -> None:
    for derivative in file.derivatives.all():
        _erase(derivative)
    failpoint("sweeping.derivatives_erased")
    store().delete(file.storage_key)
    failpoint("sweeping.original_erased")
    file.delete()
    _log.info("deleted_file_erased", file_id=str(file.pk))


def _erase(derivative: Derivative) -> None:
    """Erase the bytes, then what was staged beside them, then the row that names both."""
    store().purge(derivative.storage_key)
    failpoint("sweeping.run_purged")
    processor = processors()[derivative.file.kind]
    if isinstance(processor, DiscardsRuns):
        processor.discard_run(derivative.file_id, derivative.run)
    failpoint("sweeping.totals_discarded")
    derivative.delete()
