"""Writes of logs.

Each locks its consignment first (see `lock_consignment`) and updates its totals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypedDict, Unpack, cast

from django.db import connection, transaction

from timba.accounts.authorization import require
from timba.accounts.models import User
from timba.accounts.permissions import Permission
from timba.consignments.barcode_text import (
    BARCODE_RULE,
    barcode_key,
    is_barcode,
    normalize_barcode,
)
from timba.consignments.barcodes import (
    assign_barcodes,
    find_logs_by_key,
    lock_counter_if_generated,
)
from timba.consignments.deletion import unlink_related
from timba.consignments.events import log_event
from timba.consignments.measures import MAX_TOTAL_VOLUME, check_measures, volume
from timba.consignments.models import Consignment, Log, lock_consignment, lock_log
from timba.db.errors import translate_integrity_errors
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Conflict, Invalid
from timba.events.outbox import publish

_BATCH_SIZE: Final = 500


class LogChanges(TypedDict, total=False):
    """The fields of a log to change."""

    barcode: str
    length: Decimal
    breadth: Decimal
    height: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLog:
    """A log to add; a missing barcode is generated, others are stored in their normal form."""

    barcode: str | None = None
    length: Decimal
    breadth: Decimal
    height: Decimal

    @property
    def measures(self) -> dict[str, Decimal]:
        return {"length": self.length, "breadth": self.breadth, "height": self.height}


@retry_on_deadlock
def add_log(
    *,
    actor: User,
    consignment: Consignment,
    length: Decimal,
    breadth: Decimal,
    height: Decimal,
    barcode: str | None = None,
) -> Log:
    """Add a log, generating a missing barcode, and update the consignment's totals.

    Raises Invalid for invalid measures, and Conflict if the client has a log with this barcode.
    """
    require(actor, Permission.WRITE_LOGS, client=consignment.client)
    new = _normalize(NewLog(barcode=barcode, length=length, breadth=breadth, height=height))
    with _conflict_if_barcode_taken(_barcode_conflict(new.barcode)), write_transaction():
        [log] = _insert_logs(actor, lock_consignment(consignment), [new])
    return log


@retry_on_deadlock
def add_logs(*, actor: User, consignment: Consignment, logs: Sequence[NewLog]) -> list[Log]:
    """Add all of these logs, in this order, or none; see `add_log`.

    Inside a transaction of the caller, the caller must retry after a deadlock.
    """
    require(actor, Permission.WRITE_LOGS, client=consignment.client)
    logs = [_normalize(new) for new in logs]
    _check_distinct([new.barcode for new in logs if new.barcode is not None])
    # A barcode that is taken between the check and the insert is not known by name.
    race_lost = Conflict(
        "One of these barcodes was just taken by another log. Reload and try again."
    )
    with _conflict_if_barcode_taken(race_lost), transaction.atomic():
        return _insert_logs(actor, lock_consignment(consignment), logs)


@retry_on_deadlock
def change_log(*, actor: User, log: Log, **changes: Unpack[LogChanges]) -> Log:
    """Change a log, and update the consignment's totals; see `add_log`."""
    require(actor, Permission.WRITE_LOGS, client=log.client)
    with _conflict_if_barcode_taken(_barcode_conflict(changes.get("barcode"))), write_transaction():
        consignment, log = lock_log(log)
        before = log.volume
        is_changed = _change_measures(log, changes)
        if "barcode" in changes:
            is_changed = _change_barcode(log, changes["barcode"]) or is_changed
        if not is_changed:
            return log
        log.save()
        _update_totals(consignment, count=0, volume=log.volume - before, actor=actor)
        publish(log_event("update", log, actor=actor))
    return log


def _change_measures(log: Log, changes: LogChanges) -> bool:
    """Set the measures and the volume of a log; return whether a measure changed.

    Measures that stay are not checked: older ones may be beyond today's limits.
    """
    current = _measures_of(log)
    given = cast("Mapping[str, Decimal]", changes)
    changed = {
        name: given[name] for name in current if given.get(name, current[name]) != current[name]
    }
    check_measures(changed)
    apply_changes(log, changed)
    log.volume = volume(**_measures_of(log))
    return bool(changed)


def _change_barcode(log: Log, barcode: str) -> bool:
    """Set the barcode of a locked log; return whether it changed.

    An older barcode that is not in its normal form stays as it is until another one is given.
    """
    barcode = _normalize_or_refuse(barcode)
    if barcode == normalize_barcode(log.barcode):
        return False
    key = barcode_key(barcode)
    other = find_logs_by_key(log.client_id, [key]).get(key)
    if other is not None and other.pk != log.pk:
        raise _barcode_conflict(other.barcode)
    lock_counter_if_generated(log.client_id, [key])
    log.barcode, log.barcode_key = barcode, key
    return True


@retry_on_deadlock
def delete_log(*, actor: User, log: Log) -> None:
    """Delete a log, update the consignment's totals, and unlink the log's files."""
    require(actor, Permission.WRITE_LOGS, client=log.client)
    with transaction.atomic():
        consignment, log = lock_log(log)
        _, events = unlink_related(actor=actor, consignment=consignment, log=log)
        events.append(log_event("delete", log, actor=actor))
        _update_totals(consignment, count=-1, volume=-log.volume, actor=actor)
        log.delete()
        publish(*events)


def _insert_logs(actor: User, consignment: Consignment, new: Sequence[NewLog]) -> list[Log]:
    """Insert logs into a locked consignment, and publish their events.

    Raises Conflict for a barcode that another log of the client has.
    """
    keys = [barcode_key(each.barcode) for each in new if each.barcode is not None]
    taken = find_logs_by_key(consignment.client_id, keys)
    for key in keys:
        if key in taken:
            raise _barcode_conflict(taken[key].barcode)
    barcodes = assign_barcodes(consignment.client_id, [each.barcode for each in new])
    logs = [
        Log(
            client_id=consignment.client_id,
            consignment=consignment,
            barcode=barcode,
            barcode_key=barcode_key(barcode),
            volume=volume(**each.measures),
            created_by=actor,
            **each.measures,
        )
        for each, barcode in zip(new, barcodes, strict=True)
    ]
    Log.unscoped.bulk_create(logs, batch_size=_BATCH_SIZE)
    if not connection.features.can_return_rows_from_bulk_insert:
        # MySQL does not return the new ids.
        inserted = find_logs_by_key(consignment.client_id, map(barcode_key, barcodes))
        logs = [inserted[barcode_key(barcode)] for barcode in barcodes]
    total = sum((log.volume for log in logs), Decimal(0))
    _update_totals(consignment, count=len(logs), volume=total, actor=actor)
    publish(*(log_event("create", log, actor=actor) for log in logs))
    return logs


def _update_totals(consignment: Consignment, *, count: int, volume: Decimal, actor: User) -> None:
    """Add to the totals of a locked consignment; `actor` is its last author."""
    consignment.log_count += count
    consignment.volume += volume
    if consignment.volume > MAX_TOTAL_VOLUME:
        raise Conflict(f"A consignment holds at most {MAX_TOTAL_VOLUME:,} m³: open another one.")
    consignment.updated_by = actor
    consignment.save(update_fields=["log_count", "volume", "updated_by", "updated_at"])


def _normalize(new: NewLog) -> NewLog:
    """Return a new log with its barcode in normal form; raise Invalid for an invalid field."""
    check_measures(new.measures)
    if new.barcode is None:
        return new
    return replace(new, barcode=_normalize_or_refuse(new.barcode))


def _normalize_or_refuse(barcode: str) -> str:
    normal = normalize_barcode(barcode)
    if not is_barcode(normal):
        raise Invalid(fields={"barcode": [BARCODE_RULE]})
    return normal


def _check_distinct(barcodes: Sequence[str]) -> None:
    """Raise Conflict for two barcodes that are the same one."""
    first: dict[str, str] = {}
    for barcode in barcodes:
        key = barcode_key(barcode)
        if key not in first:
            first[key] = barcode
        elif first[key] == barcode:
            raise Conflict(f"The barcode “{barcode}” is given twice: a log has one of its own.")
        else:
            raise Conflict(
                f"The barcodes “{first[key]}” and “{barcode}” are the same: a log has one of its "
                "own."
            )


def _measures_of(log: Log) -> dict[str, Decimal]:
    return {"length": log.length, "breadth": log.breadth, "height": log.height}


def _conflict_if_barcode_taken(conflict: Conflict) -> AbstractContextManager[None]:
    return translate_integrity_errors(
        {"log_barcode_is_unique": conflict, "log_barcode_key_is_unique": conflict}
    )


def _barcode_conflict(barcode: str | None) -> Conflict:
    return Conflict(f"There is a log with the barcode “{barcode}” already.")
