"""The lists of consignments, and of those that were deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from timba.api.authentication import actor_of
from timba.api.http import CLIENT_FILTER_HELP, QuerySerializer, filter_by_client, paginated
from timba.consignments.models import Consignment, ConsignmentColumns, DeletedConsignment
from timba.consignments.schemas import serialize_consignment, serialize_deleted
from timba.places.city_numbers import CITY_NUMBERS

M = TypeVar("M", bound=ConsignmentColumns)
_LATEST_DELETION_FIRST: Final = ("-deleted_at", "-id")


class ConsignmentsQuery(QuerySerializer):
    """Filters of the list."""

    q = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Only consignments with this text in name or vehicle number.",
    )
    type = serializers.ChoiceField(
        choices=Consignment.Type.choices,
        required=False,
        allow_blank=True,
        help_text="Only this type of timber; empty for all.",
    )
    city_id = serializers.IntegerField(
        min_value=CITY_NUMBERS[0],
        max_value=CITY_NUMBERS[-1],
        required=False,
        help_text="Only consignments in the city with this number.",
    )
    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)
    deleted = serializers.BooleanField(
        required=False,
        help_text="true: the deleted consignments that can be restored, latest deletion first.",
    )


def consignments_page(request: Request, filters: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Return the requested page of the consignments, or the deleted ones, that match."""
    actor, client_id = actor_of(request), filters.get("client_id")
    if filters.get("deleted"):
        deleted = filter_by_client(DeletedConsignment.objects.visible_to(actor), actor, client_id)
        return paginated(
            _filter(deleted.defer("links"), filters),
            request=request,
            serialize=serialize_deleted,
            order=_LATEST_DELETION_FIRST,
            key=key,
        )
    rows = filter_by_client(Consignment.objects.visible_to(actor), actor, client_id)
    return paginated(
        _filter(rows, filters), request=request, serialize=serialize_consignment, key=key
    )


def _filter(rows: QuerySet[M], filters: Mapping[str, Any]) -> QuerySet[M]:
    if filters.get("q"):
        words = filters["q"]
        rows = rows.filter(Q(name_key__finds=words) | Q(vehicle_key__finds=words))
    if filters.get("type"):
        rows = rows.filter(type=filters["type"])
    if "city_id" in filters:
        rows = rows.filter(city_id=filters["city_id"])
    return rows
