"""Heals what crashes left: every step finds its work in rows, and may be killed at any point."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from timba.files.catalogue import processors
from timba.files.models import Derivative, File
from timba.files.processing import MAX_ATTEMPTS, give_up
from timba.files.storage import store

ABANDONED_AFTER: Final = timedelta(hours=1)
RING_AGAIN_AFTER: Final = timedelta(seconds=30)
_BATCH: Final = 500
_log = structlog.get_logger(__name__)


def sweep_files() -> None:
    """Do one round: abandoned uploads, lost files, results of dead runs, trash."""
    _remove_abandoned_uploads()
    _end_lost_files()
    _remove_dead_runs()
    _empty_trash()


def waiting_to_be_rung() -> Sequence[uuid.UUID]:
    """Return the oldest files that wait although they were rung for a while ago."""
    long_ago = timezone.now() - RING_AGAIN_AFTER
    waiting = File.unscoped.filter(status=File.Status.PENDING, deleted_at__isnull=True).filter(
        models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now()),
        models.Q(rung_at__isnull=True) | models.Q(rung_at__lt=long_ago),
    )
    return list(waiting.order_by("uploaded_at").values_list("pk", flat=True)[:_BATCH])


def _remove_abandoned_uploads() -> None:
    abandoned = File.unscoped.filter(
        status=File.Status.RECEIVING, touched_at__lt=timezone.now() - ABANDONED_AFTER
    )
    for file in abandoned[:_BATCH]:
        store().delete(file.storage_key)
        File.unscoped.filter(pk=file.pk, status=File.Status.RECEIVING).delete()
        _log.info("abandoned_upload_removed", file_id=str(file.pk))


def _end_lost_files() -> None:
    lost = File.unscoped.filter(
        status=File.Status.PENDING,
        deleted_at__isnull=True,
        attempts__gte=MAX_ATTEMPTS,
        lease_until__lt=Now(),
    )
    for file_id in lost.values_list("pk", flat=True)[:_BATCH]:
        give_up(file_id)


def _remove_dead_runs() -> None:
    """Erase what runs made that lost their file: neither the current run nor the one at work."""
    dead = (
        Derivative.objects.select_related("file")
        .exclude(run=models.F("file__run"), file__run__isnull=False)
        .exclude(file__status=File.Status.PENDING, run=models.F("file__fence"))
    )
    for derivative in dead[:_BATCH]:
        _erase(derivative)


def _empty_trash() -> None:
    expired = File.unscoped.filter(
        deleted_at__lt=timezone.now() - timedelta(days=settings.TIMBA_TRASH_DAYS)
    )
    for file in expired[:_BATCH]:
        for derivative in file.derivatives.all():
            _erase(derivative)
        store().delete(file.storage_key)
        file.delete()
        _log.info("deleted_file_erased", file_id=str(file.pk))


def _erase(derivative: Derivative) -> None:
    """Erase the bytes, then what was staged beside them, then the row that names both."""
    store().delete(derivative.storage_key)
    processors()[derivative.file.kind].discard(derivative.file_id, derivative.run)
    derivative.delete()
