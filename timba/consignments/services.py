"""What people do with consignments and logs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.db import transaction

from timba.accounts.constraints import sentences
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission, require
from timba.consignments.events import consignment_event, log_event
from timba.consignments.measures import MEASURE_DECIMALS, MEASURE_DIGITS, volume
from timba.consignments.models import BarcodeCounter, Consignment, Log
from timba.contention import again_on_contention
from timba.errors import Conflict, Invalid, NotFound
from timba.events.outbox import publish
from timba.places.models import CITY_NUMBERS

MAX_NAME: Final = 100
MAX_VEHICLE_NUMBER: Final = 30
MAX_BARCODE: Final = 50


@again_on_contention
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
    author = created_by or actor
    if author.client_id not in {client.pk, None}:
        raise NotFound("There is no such user.")
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
    taken = Conflict(f"There is a consignment named “{name}” already.")
    with sentences({"consignment_name_is_unique": taken}), transaction.atomic():
        consignment.save()
        publish(consignment_event("create", consignment, actor=actor))
    return consignment


@again_on_contention
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
    measures = {"length": length, "breadth": breadth, "height": height}
    _check_measures(measures)
    _check_barcode(barcode)
    taken = Conflict(f"There is a log with the barcode “{barcode}” already.")
    with sentences({"log_barcode_is_unique": taken}), transaction.atomic():
        # Locked first: whoever adds to the same consignment waits, so the totals stay exact.
        consignment = Consignment.unscoped.select_for_update().one_or_not_found(pk=consignment.pk)
        log = Log.unscoped.create(
            client_id=consignment.client_id,
            consignment=consignment,
            barcode=barcode or _made_barcode(consignment.client_id),
            volume=volume(**measures),
            created_by=actor,
            **measures,
        )
        consignment.log_count += 1
        consignment.volume += log.volume
        consignment.save(update_fields=["log_count", "volume"])
        publish(log_event("create", log, actor=actor))
    return log


def _made_barcode(client_id: int) -> str:
    """Return the next `TB-<client>-<number>` that nobody has taken by hand."""
    BarcodeCounter.objects.get_or_create(client_id=client_id)
    counter = BarcodeCounter.objects.select_for_update().get(client_id=client_id)
    barcode = ""
    while not barcode or Log.unscoped.filter(client_id=client_id, barcode=barcode).exists():
        counter.last_number += 1
        barcode = f"TB-{client_id}-{counter.last_number}"
    counter.save(update_fields=["last_number"])
    return barcode


def _check_consignment(consignment: Consignment) -> None:
    if not consignment.name.strip() or len(consignment.name) > MAX_NAME:
        raise Invalid(fields={"name": [f"A consignment has a name of 1 to {MAX_NAME} characters."]})
    if consignment.type not in Consignment.Type.values:
        raise Invalid(fields={"type": ["A consignment is hardwood or pinewood."]})
    if len(consignment.vehicle_number) > MAX_VEHICLE_NUMBER:
        sentence = f"A vehicle number has at most {MAX_VEHICLE_NUMBER} characters."
        raise Invalid(fields={"vehicle_number": [sentence]})
    if consignment.city_id is not None and consignment.city_id not in CITY_NUMBERS:
        sentence = f"A city's number is from {CITY_NUMBERS[0]} to {CITY_NUMBERS[-1]}."
        raise Invalid(fields={"city_id": [sentence]})


def _check_measures(measures: dict[str, Decimal]) -> None:
    whole_digits = MEASURE_DIGITS - MEASURE_DECIMALS
    for name, value in measures.items():
        if not value.is_finite() or value <= 0:
            raise Invalid(fields={name: ["Give a number greater than 0."]})
        if value >= 10**whole_digits or value != round(value, MEASURE_DECIMALS):
            sentence = (
                f"Give at most {MEASURE_DECIMALS} decimals and {whole_digits} digits before them."
            )
            raise Invalid(fields={name: [sentence]})


def _check_barcode(barcode: str | None) -> None:
    if barcode is not None and not (1 <= len(barcode) <= MAX_BARCODE and barcode.isprintable()):
        sentence = f"A barcode has 1 to {MAX_BARCODE} printable characters."
        raise Invalid(fields={"barcode": [sentence]})
