"""Deletes consignments, restores them, and purges them after TIMBA_TRASH_DAYS.

The rows of a deleted consignment and its logs move to tables of their own: names and barcodes are
free at once, and no other query meets them. They keep their ids, which are never given again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from timba.accounts.authorization import require
from timba.accounts.models import User
from timba.accounts.permissions import Permission
from timba.consignments.barcode_text import barcode_key
from timba.consignments.barcodes import find_all_logs_by_key, lock_counter_if_generated
from timba.consignments.deletion import relink_related, unlink_related
from timba.consignments.events import consignment_event, log_event
from timba.consignments.models import (
    Consignment,
    DeletedConsignment,
    DeletedLog,
    Log,
    lock_consignment,
)
from timba.db.errors import translate_integrity_errors
from timba.db.row_copies import copy_rows
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict
from timba.events.outbox import Event, publish
from timba.failpoints import failpoint

_NAMED_BARCODES: Final = 10
_RACE_LOST: Final = (
    "The name or a barcode of the consignment was just taken by another one. Reload and try again."
)
_TAKEN_CONSTRAINTS: Final = (
    "consignment_name_is_unique",
    "log_barcode_is_unique",
    "log_barcode_key_is_unique",
)
_PURGE_BATCH: Final = 50


@retry_on_deadlock
def delete_consignment(*, actor: User, consignment: Consignment) -> None:
    """Move a consignment and its logs to the trash, and unlink its files and notes."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=consignment.client)
    with transaction.atomic():
        consignment = lock_consignment(consignment)
        links, events = unlink_related(actor=actor, consignment=consignment)
        logs = Log.unscoped.filter(consignment=consignment)
        events += _log_events("delete", logs, actor=actor)
        events.append(consignment_event("delete", consignment, actor=actor))
        copy_rows(
            Consignment.unscoped.filter(pk=consignment.pk),
            DeletedConsignment,
            deleted_at=timezone.now(),
            deleted_by_id=actor.pk,
            links=links,
        )
        _move_logs(logs, DeletedLog)
        consignment.delete()
        publish(*events)


@retry_on_deadlock
def restore_consignment(*, actor: User, deleted: DeletedConsignment) -> Consignment:
    """Restore a deleted consignment with its logs, and link its files and notes again.

    All are as they were, with their ids. Raises NotFound if it has been restored or purged
    meanwhile, and Conflict that names what others have taken: its name, or barcodes of its logs.
    """
    require(actor, Permission.WRITE_CONSIGNMENTS, client=deleted.client)
    race_lost = dict.fromkeys(_TAKEN_CONSTRAINTS, Conflict(_RACE_LOST))
    with translate_integrity_errors(race_lost), write_transaction():
        deleted = DeletedConsignment.unscoped.select_for_update().get_or_not_found(pk=deleted.pk)
        keys = _check_not_taken(deleted)
        copy_rows(DeletedConsignment.unscoped.filter(pk=deleted.pk), Consignment)
        _move_logs(DeletedLog.unscoped.filter(consignment=deleted), Log)
        consignment = Consignment.unscoped.get(pk=deleted.pk)
        relinked = relink_related(actor=actor, consignment=consignment, links=deleted.links)
        lock_counter_if_generated(deleted.client_id, keys)
        deleted.delete()
        logs = Log.unscoped.filter(consignment=consignment)
        publish(
            consignment_event("create", consignment, actor=actor),
            *_log_events("create", logs, actor=actor),
            *relinked,
        )
    return consignment


def purge_expired() -> None:
    """Delete a batch of the consignments that were deleted TIMBA_TRASH_DAYS ago; see `PURGES`."""
    due = timezone.now() - timedelta(days=settings.TIMBA_TRASH_DAYS)
    expired = DeletedConsignment.unscoped.filter(deleted_at__lt=due).order_by("deleted_at")
    for pk in list(expired.values_list("pk", flat=True)[:_PURGE_BATCH]):
        _purge(pk)


@retry_on_deadlock
def _purge(pk: int) -> None:
    """Delete a consignment with all its logs, unless it has just been restored."""
    with transaction.atomic():
        deleted = DeletedConsignment.unscoped.select_for_update().filter(pk=pk).first()
        if deleted is not None:
            deleted.delete()


def _move_logs(logs: models.QuerySet[Any], to: type[Log | DeletedLog]) -> None:
    """Move logs from one table to the other; no rows of other tables refer to them."""
    copy_rows(logs, to)
    failpoint("trash.logs_copied")
    logs._raw_delete(logs.db)  # noqa: SLF001 - `delete` would read all of them to find such rows


def _log_events(action: str, logs: models.QuerySet[Log], *, actor: User) -> list[Event]:
    return [log_event(action, log, actor=actor) for log in logs.order_by("pk")]


def _check_not_taken(deleted: DeletedConsignment) -> list[str]:
    """Return the keys of the barcodes; raise Conflict if the name or some of them are taken."""
    logs = DeletedLog.unscoped.filter(consignment=deleted).order_by("pk")
    rows = list(logs.values_list("barcode", "barcode_key"))
    keys = [key or barcode_key(barcode) for barcode, key in rows]
    namesakes = Consignment.unscoped.filter(client_id=deleted.client_id, name=deleted.name)
    taken = [f"there is a consignment named “{deleted.name}”"] if namesakes.exists() else []
    found = find_all_logs_by_key(deleted.client_id, keys)
    # Logs that are older than keys may stand beside each other again, as they did before.
    barcodes = [
        log.barcode
        for (barcode, own_key), key in zip(rows, keys, strict=True)
        for log in found.get(key, ())
        if log.barcode == barcode
        or None not in (own_key, log.barcode_key)
        or log.created_at > deleted.deleted_at
    ]
    if barcodes:
        taken.append(_name_barcodes(barcodes))
    if taken:
        raise Conflict(
            f"It cannot be restored, because {' and '.join(taken)} already. Rename or "
            "delete what has taken its place, then try again."
        )
    return keys


def _name_barcodes(barcodes: list[str]) -> str:
    named = [f"“{barcode}”" for barcode in barcodes[:_NAMED_BARCODES]]
    if len(barcodes) > _NAMED_BARCODES:
        named.append(f"{len(barcodes) - _NAMED_BARCODES:,} more")
    if len(named) == 1:
        return f"there is a log with the barcode {named[0]}"
    return f"there are logs with the barcodes {', '.join(named[:-1])} and {named[-1]}"
