"""Deletes expired uploads, and bytes that are no longer needed, from this machine's folder."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from timba.errors import DomainError
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.parts import PartFile, UploadGone, files_in_folder, folder_id
from timba.files.resumable.services import opened

# Rows of machines that are gone are deleted, and bytes whose row is.
_FORGOTTEN_AFTER: Final = timedelta(days=7)
_BATCH: Final = 100
_log = structlog.get_logger(__name__)


def purge_expired() -> None:
    """Delete a batch of expired uploads whose bytes this machine has; see `PURGES`."""
    now = timezone.now()
    expired = ResumableUpload.unscoped.filter(expires_at__lte=now).order_by("expires_at")
    expired.filter(expires_at__lte=now - _FORGOTTEN_AFTER).exclude(folder_id=folder_id()).delete()
    for upload in expired.filter(folder_id=folder_id())[:_BATCH]:
        with suppress(DomainError):
            _purge(upload, now=now)
    _delete_leftovers(before=now - _FORGOTTEN_AFTER)


def _purge(upload: ResumableUpload, *, now: datetime) -> None:
    """Delete an upload unless a request has postponed its expiry, or another purge is quicker."""
    row = ResumableUpload.unscoped.filter(pk=upload.pk, expires_at__lte=now)
    try:
        with opened(upload) as part, part.locked():
            if not row.exists():
                return
            part.delete()
    except UploadGone:
        pass  # it has become a file, or was deleted before its row
    if row.delete()[0]:
        _log.info("expired_upload_deleted", upload_id=str(upload.pk))


def _delete_leftovers(*, before: datetime) -> None:
    """Delete the bytes of uploads that have become files, and old ones that have no row."""
    found = {pk: properties.st_mtime for pk, properties in files_in_folder()}
    rows = dict(ResumableUpload.unscoped.filter(pk__in=found).values_list("pk", "file_id"))
    for upload_id, changed_at in found.items():
        is_old = changed_at < before.timestamp()
        if rows.get(upload_id) or (upload_id not in rows and is_old):
            with suppress(DomainError), closing(PartFile(upload_id)) as part, part.locked():
                part.delete()
