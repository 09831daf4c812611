"""What a consignment and a log can be, typed in one by one or read from a whole sheet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from timba.consignments.measures import BARCODE_RULE, MEASURE_DECIMALS, MEASURE_DIGITS, is_barcode
from timba.consignments.models import MAX_CONSIGNMENT_NAME, MAX_VEHICLE_NUMBER, Consignment
from timba.errors import Invalid
from timba.places.services import check_city_number

_WHOLE_DIGITS: Final = MEASURE_DIGITS - MEASURE_DECIMALS


def check_consignment(consignment: Consignment) -> None:
    """Raise Invalid, naming the field, for what no consignment can be."""
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


def check_measures(measures: Mapping[str, Decimal]) -> None:
    """Raise Invalid, naming the measure, for what no log can be."""
    for name, value in measures.items():
        if not value.is_finite() or value <= 0:
            raise Invalid(fields={name: ["Give a number greater than 0."]})
        if value >= 10**_WHOLE_DIGITS or value != round(value, MEASURE_DECIMALS):
            sentence = (
                f"Give at most {MEASURE_DECIMALS} decimals and {_WHOLE_DIGITS} digits before them."
            )
            raise Invalid(fields={name: [sentence]})


def check_barcode(barcode: str | None) -> None:
    """Raise Invalid for what no barcode can be; None is one that is still to be made."""
    if barcode is not None and not is_barcode(barcode):
        raise Invalid(fields={"barcode": [BARCODE_RULE]})
