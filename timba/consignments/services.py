"""What people do with consignments and logs.

Every write locks the consignment first (see `locks`) and keeps its totals: they are never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypedDict, Unpack

from django.db import connection, transaction

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.barcodes import (
    advance_counter,
    assign_barcodes,
    logs_by_barcode,
    taken_barcodes,
)
from timba.consignments.deletion import detach_related
from timba.consignments.events import consignment_event, log_event
from timba.consignments.measures import MAX_TOTAL, check_barcode, check_measures, volume
from timba.consignments.models import (
    MAX_CONSIGNMENT_NAME,
    MAX_VEHICLE_NUMBER,
    Consignment,
    Log,
    lock_consignment,
    lock_log,
)
from timba.db.integrity import translate_integrity_errors
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Conflict, Invalid, NotFound
from timba.events.outbox import publish
from timba.places.services import check_city_number

_AT_ONCE: Final = 500


class ConsignmentChanges(TypedDict, total=False):
    """What may change about a consignment; what is left out stays."""

    name: str
    type: str
    vehicle_number: str
    city_id: int | None


class LogChanges(TypedDict, total=False):
    """What may change about a log; what is left out stays."""

    barcode: str
    length: Decimal
    breadth: Decimal
    height: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLog:
    """A log that is to be added; without a barcode one is made."""

    barcode: str | None = None
    length: Decimal
    breadth: Decimal
    height: Decimal

    @property
    def measures(self) -> dict[str, Decimal]:
        return {"length": self.length, "breadth": self.breadth, "height": self.height}


@retry_on_deadlock
def open_consignment(
    *,
    actor: User,
    client: Client,
    name: str,
    type: str,  # noqa: A002 - the contract's word
    vehicle_number: str = "",
    city_id: int | None = None,
    created_by: User | None = None,
) -> Consignment:
    """Register a lorry load; raise Conflict when the client has one of this name."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=client)
    author = _author(created_by or actor, client_id=client.pk)
    consignment = Consignment(
        client=client,
        name=name,
        type=type,
        vehicle_number=vehicle_number,
        city_id=city_id,
        created_by=author,
        updated_by=author,
    )
    _check_consignment(consignment)
    with _name_is_free(name), write_transaction():
        consignment.save()
        publish(consignment_event("create", consignment, actor=actor))
    return consignment


@retry_on_deadlock
def change_consignment(
    *,
    actor: User,
    consignment: Consignment,
    updated_by: User | None = None,
    **changes: Unpack[ConsignmentChanges],
) -> Consignment:
    """Change what is written of a lorry load; raise Conflict for the name of another one."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=consignment.client)
    author = _author(updated_by or actor, client_id=consignment.client_id)
    with _name_is_free(changes.get("name", consignment.name)), write_transaction():
        consignment = lock_consignment(consignment)
        # Who did it is a change of its own only where the caller says so.
        names_author = updated_by is not None and consignment.updated_by_id != author.pk
        changed = apply_changes(consignment, changes) or names_author
        _check_consignment(consignment)
        if changed:
            consignment.updated_by = author
            consignment.save()
            publish(consignment_event("update", consignment, actor=actor))
    return consignment


@retry_on_deadlock
def delete_consignment(*, actor: User, consignment: Consignment) -> None:
    """Take a consignment away with its logs; its files and notes stay, and belong to none."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=consignment.client)
    with transaction.atomic():
        consignment = lock_consignment(consignment)
        events = detach_related(actor=actor, consignment=consignment)
        logs = Log.unscoped.filter(consignment=consignment)
        events += [log_event("delete", log, actor=actor) for log in logs.order_by("pk")]
        events.append(consignment_event("delete", consignment, actor=actor))
        consignment.delete()
        publish(*events)


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
    """Add a log, make its barcode where none is given, and keep the consignment's totals.

    Raises Invalid for impossible measures, Conflict when the client has a log of this barcode.
    """
    require(actor, Permission.WRITE_LOGS, client=consignment.client)
    new = NewLog(barcode=barcode, length=length, breadth=breadth, height=height)
    _check(new)
    with _barcode_is_free(_taken(barcode)), write_transaction():
        [log] = _add(actor, lock_consignment(consignment), [new])
    return log


@retry_on_deadlock
def add_logs(*, actor: User, consignment: Consignment, logs: Sequence[NewLog]) -> list[Log]:
    """Add many logs, all or none, in this order; see `add_log`.

    Inside the caller's transaction it is the caller who does all again after a contention.
    """
    require(actor, Permission.WRITE_LOGS, client=consignment.client)
    for new in logs:
        _check(new)
    given = [new.barcode for new in logs if new.barcode is not None]
    met: set[str] = set()
    for barcode in given:
        if barcode in met:
            raise Conflict(f"The barcode “{barcode}” is given twice: a log has one of its own.")
        met.add(barcode)
    # Whose barcode is taken between the question and the write is told without its name.
    taken = Conflict("A barcode of these has been given to another log meanwhile. Look again.")
    with _barcode_is_free(taken), transaction.atomic():
        consignment = lock_consignment(consignment)
        known = taken_barcodes(consignment.client_id, given)
        for barcode in given:
            if barcode in known:
                raise _taken(barcode)
        return _add(actor, consignment, logs)


@retry_on_deadlock
def change_log(*, actor: User, log: Log, **changes: Unpack[LogChanges]) -> Log:
    """Correct a log, and with it the consignment's totals; see `add_log`."""
    require(actor, Permission.WRITE_LOGS, client=log.client)
    with _barcode_is_free(_taken(changes.get("barcode"))), write_transaction():
        consignment, log = lock_log(log)
        changed = apply_changes(log, changes)
        now = NewLog(barcode=log.barcode, length=log.length, breadth=log.breadth, height=log.height)
        _check(now)
        if not changed:
            return log
        before, log.volume = log.volume, volume(**now.measures)
        advance_counter(log.client_id, [log.barcode])
        log.save()
        _keep_totals(consignment, count=0, volume=log.volume - before, actor=actor)
        publish(log_event("update", log, actor=actor))
    return log


@retry_on_deadlock
def delete_log(*, actor: User, log: Log) -> None:
    """Take a log away, and out of the consignment's totals; its files stay."""
    require(actor, Permission.WRITE_LOGS, client=log.client)
    with transaction.atomic():
        consignment, log = lock_log(log)
        events = detach_related(actor=actor, consignment=consignment, log=log)
        events.append(log_event("delete", log, actor=actor))
        _keep_totals(consignment, count=-1, volume=-log.volume, actor=actor)
        log.delete()
        publish(*events)


def _add(actor: User, consignment: Consignment, new: Sequence[NewLog]) -> list[Log]:
    """Write logs into a locked consignment, and tell of them."""
    barcodes = assign_barcodes(consignment.client_id, [each.barcode for each in new])
    logs = [
        Log(
            client_id=consignment.client_id,
            consignment=consignment,
            barcode=barcode,
            volume=volume(**each.measures),
            created_by=actor,
            **each.measures,
        )
        for each, barcode in zip(new, barcodes, strict=True)
    ]
    Log.unscoped.bulk_create(logs, batch_size=_AT_ONCE)
    if not connection.features.can_return_rows_from_bulk_insert:
        # MySQL does not say which ids it gave.
        written = logs_by_barcode(consignment.client, barcodes)
        logs = [written[barcode] for barcode in barcodes]
    total = sum((log.volume for log in logs), Decimal(0))
    _keep_totals(consignment, count=len(logs), volume=total, actor=actor)
    publish(*(log_event("create", log, actor=actor) for log in logs))
    return logs


def _keep_totals(consignment: Consignment, *, count: int, volume: Decimal, actor: User) -> None:
    """Add to the totals of a locked consignment, and say who did."""
    consignment.log_count += count
    consignment.volume += volume
    if consignment.volume > MAX_TOTAL:
        raise Conflict(f"A consignment holds at most {MAX_TOTAL:,} m³: open another one.")
    consignment.updated_by = actor
    consignment.save(update_fields=["log_count", "volume", "updated_by", "updated_at"])


def _check(new: NewLog) -> None:
    check_measures(new.measures)
    check_barcode(new.barcode)


def _author(author: User, *, client_id: int) -> User:
    """Return who is named as the author; raise NotFound for another client's people."""
    if author.client_id not in {client_id, None}:
        raise NotFound("There is no such user.")
    return author


def _name_is_free(name: str) -> AbstractContextManager[None]:
    taken = Conflict(f"There is a consignment named “{name}” already.")
    return translate_integrity_errors({"consignment_name_is_unique": taken})


def _barcode_is_free(taken: Conflict) -> AbstractContextManager[None]:
    return translate_integrity_errors({"log_barcode_is_unique": taken})


def _taken(barcode: str | None) -> Conflict:
    return Conflict(f"There is a log with the barcode “{barcode}” already.")


def _check_consignment(consignment: Consignment) -> None:
    """Raise Invalid, naming the field, for a value that no consignment can have."""
    if not consignment.name.strip() or len(consignment.name) > MAX_CONSIGNMENT_NAME:
        raise Invalid(
            fields={
                "name": [f"A consignment has a name of 1 to {MAX_CONSIGNMENT_NAME} characters."]
            }
        )
    if consignment.type not in Consignment.Type.values:
        raise Invalid(fields={"type": ["A consignment is hardwood or pinewood."]})
    if len(consignment.vehicle_number) > MAX_VEHICLE_NUMBER:
        sentence = f"A vehicle number has at most {MAX_VEHICLE_NUMBER} characters."
        raise Invalid(fields={"vehicle_number": [sentence]})
    if consignment.city_id is not None:
        check_city_number(consignment.city_id)
