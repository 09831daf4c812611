"""How consignments and logs look to every caller: answers and events are the same."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from timba.consignments.models import Consignment, Log


class ConsignmentSchema(TypedDict):
    id: int
    name: str
    type: str
    vehicle_number: str
    city_id: int | None
    client_id: int
    created_by: int | None
    updated_by: int | None
    created_at: datetime
    updated_at: datetime
    log_count: int
    volume: Decimal


class LogSchema(TypedDict):
    id: int
    consignment_id: int
    client_id: int
    barcode: str
    length: Decimal
    breadth: Decimal
    height: Decimal
    volume: Decimal
    created_by: int | None
    created_at: datetime
    updated_at: datetime


def serialize_consignment(consignment: Consignment) -> ConsignmentSchema:
    """Return the consignment as callers see it."""
    return ConsignmentSchema(
        id=consignment.pk,
        name=consignment.name,
        type=consignment.type,
        vehicle_number=consignment.vehicle_number,
        city_id=consignment.city_id,
        client_id=consignment.client_id,
        created_by=consignment.created_by_id,
        updated_by=consignment.updated_by_id,
        created_at=consignment.created_at,
        updated_at=consignment.updated_at,
        log_count=consignment.log_count,
        volume=consignment.volume,
    )


def serialize_log(log: Log) -> LogSchema:
    """Return the log as callers see it."""
    return LogSchema(
        id=log.pk,
        consignment_id=log.consignment_id,
        client_id=log.client_id,
        barcode=log.barcode,
        length=log.length,
        breadth=log.breadth,
        height=log.height,
        volume=log.volume,
        created_by=log.created_by_id,
        created_at=log.created_at,
        updated_at=log.updated_at,
    )
