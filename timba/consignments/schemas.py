"""How consignments and logs look to callers, in responses and events alike.

OpenAPI describes them by these types: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, NotRequired, TypedDict

from timba.accounts.schemas import CREATED, UPDATED
from timba.consignments.models import ConsignmentColumns, DeletedConsignment, Log


class ConsignmentSchema(TypedDict):
    """A lorry load of logs."""

    id: Annotated[int, "Id of the consignment.", 12]
    name: Annotated[str, "Name of the consignment, unique within its client.", "Oak, March"]
    type: Annotated[str, "Type of timber: hardwood or pinewood.", "hardwood"]
    vehicle_number: Annotated[str, "Number plate of the vehicle; may be empty.", "AB-1234"]
    city_id: Annotated[int | None, "Number of the city where the timber is stored.", 7]
    client_id: Annotated[int, "Id of the client that it belongs to.", 1]
    created_by: Annotated[int | None, "Id of the user who created it; null once deleted.", 3]
    updated_by: Annotated[int | None, "Id of the user who last changed it; null once deleted.", 3]
    created_at: Annotated[datetime, "When it was created (UTC, ISO 8601).", CREATED]
    updated_at: Annotated[datetime, "When it was last changed (UTC, ISO 8601).", UPDATED]
    log_count: Annotated[int, "Number of its logs.", 1]
    volume: Annotated[Decimal, "Volume of its logs in m³, to 3 decimals.", 0.378]


class ListedConsignmentSchema(ConsignmentSchema):
    """A consignment in a list, or with `deleted=true` a deleted one, as it was."""

    deleted_at: NotRequired[
        Annotated[datetime, "When it was deleted (UTC, ISO 8601); deleted ones only.", UPDATED]
    ]
    deleted_by: NotRequired[
        Annotated[
            int | None,
            "Id of the user who deleted it; null once that user is deleted. Deleted ones only.",
            3,
        ]
    ]


class LogSchema(TypedDict):
    """A timber log: one piece of a consignment, with its measures."""

    id: Annotated[int, "Id of the log.", 71]
    consignment_id: Annotated[int, "Id of the consignment that it belongs to.", 12]
    client_id: Annotated[int, "Id of the client that it belongs to.", 1]
    barcode: Annotated[str, "Barcode on the log, unique within its client.", "TB-1-71"]
    length: Annotated[Decimal, "Length in metres (m), to 3 decimals.", 4.2]
    breadth: Annotated[Decimal, "Breadth in centimetres (cm), to 3 decimals.", 30]
    height: Annotated[Decimal, "Height in centimetres (cm), to 3 decimals.", 30]
    volume: Annotated[
        Decimal,
        "Volume in m³: length × breadth × height / 10,000, rounded half up to 3 decimals.",
        0.378,
    ]
    created_by: Annotated[int | None, "Id of the user who added it; null once deleted.", 3]
    created_at: Annotated[datetime, "When it was added (UTC, ISO 8601).", CREATED]
    updated_at: Annotated[datetime, "When it was last changed (UTC, ISO 8601).", UPDATED]


def serialize_consignment(consignment: ConsignmentColumns) -> ConsignmentSchema:
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


def serialize_deleted(consignment: DeletedConsignment) -> ListedConsignmentSchema:
    """Return a deleted consignment as callers see it."""
    return ListedConsignmentSchema(
        **serialize_consignment(consignment),
        deleted_at=consignment.deleted_at,
        deleted_by=consignment.deleted_by_id,
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
