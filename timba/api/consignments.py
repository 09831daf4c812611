"""The endpoints of consignments: `/timba/consignment(s)`, `/api/consignments/`, one by its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.consignment_lists import ConsignmentsQuery, consignments_page
from timba.api.http import (
    ACTING_CLIENT_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    acting_client,
    check_same_client,
    get_optional_row,
    parse_id,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import (
    changed_response,
    changed_schema,
    created_response,
    created_schema,
    deleted_response,
    deleted_schema,
    get_id_or_400,
    id_parameters,
    merge_body_into_query,
    merge_query_and_body,
)
from timba.api.openapi import CONFLICT_RESPONSE, example_request, page_schema, schema_of
from timba.consignments.models import (
    MAX_CONSIGNMENT_NAME,
    MAX_VEHICLE_NUMBER,
    Consignment,
    DeletedConsignment,
)
from timba.consignments.schemas import (
    ConsignmentSchema,
    ListedConsignmentSchema,
    serialize_consignment,
)
from timba.consignments.services import change_consignment, open_consignment
from timba.consignments.trash import delete_consignment, restore_consignment
from timba.places.city_numbers import CITY_NUMBERS

_DELETION: Final = (
    "Deletes its logs, and unlinks its files and notes. It can be restored with all of them for "
    "`TIMBA_TRASH_DAYS` (7 days by default); its name and barcodes are free at once."
)


@example_request(
    {"name": "Oak, March", "type": "hardwood", "vehicle_number": "AB-1234", "city_id": 7}
)
class ConsignmentSerializer(serializers.Serializer[Any]):
    """The fields of a consignment."""

    user_id = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Id of the user who creates or changes it; by default, the signed-in user.",
    )
    name = serializers.CharField(
        max_length=MAX_CONSIGNMENT_NAME,
        trim_whitespace=False,
        help_text="Name of the consignment, unique within its client.",
    )
    type = serializers.ChoiceField(choices=Consignment.Type.choices, help_text="Type of timber.")
    vehicle_number = serializers.CharField(
        max_length=MAX_VEHICLE_NUMBER,
        allow_blank=True,
        required=False,
        help_text="Number plate of the vehicle.",
    )
    city_id = serializers.IntegerField(
        min_value=CITY_NUMBERS[0],
        max_value=CITY_NUMBERS[-1],
        required=False,
        allow_null=True,
        help_text="Number of the city where the timber is stored.",
    )


class NewConsignmentSerializer(ConsignmentSerializer):
    """A new consignment."""

    client_id = serializers.IntegerField(
        required=False, allow_null=True, help_text=ACTING_CLIENT_HELP
    )


@example_request({"consignment_id": 12, "vehicle_number": "AB-1235"})
class ConsignmentWithIdSerializer(ConsignmentSerializer):
    """The changes to a consignment, and its id."""

    consignment_id = serializers.IntegerField(help_text="Id of the consignment.")


class ConsignmentView(APIView):
    """One consignment."""

    @extend_schema(
        summary="Get a consignment (/timba)",
        parameters=id_parameters("consignment"),
        responses={200: schema_of(ConsignmentSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="consignment")
        return JSONResponse(serialize_consignment(_requested_consignment(request, params)))

    @extend_schema(
        summary="Add a consignment (/timba)",
        request=NewConsignmentSerializer,
        responses={201: created_schema("consignment", ConsignmentSchema), **CONFLICT_RESPONSE},
    )
    @idempotent
    def put(self, request: Request) -> JSONResponse:
        return created_response("consignment", serialize_consignment(_create(request)))

    @extend_schema(
        summary="Change a consignment (/timba)",
        parameters=id_parameters("consignment"),
        request=ConsignmentWithIdSerializer(partial=True),
        responses={200: changed_schema("consignment", ConsignmentSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="consignment")
        consignment = _change(request, _requested_consignment(request, params), params)
        return changed_response("consignment", serialize_consignment(consignment))

    @extend_schema(
        summary="Delete a consignment (/timba)",
        description=_DELETION,
        parameters=id_parameters("consignment"),
        responses={200: deleted_schema("consignment")},
    )
    def delete(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="consignment")
        consignment = _requested_consignment(request, params)
        delete_consignment(actor=actor_of(request), consignment=consignment)
        return deleted_response("consignment")


class ConsignmentsView(APIView):
    """All consignments, newest first."""

    @extend_schema(
        summary="List consignments (/timba)",
        description="Newest first.",
        parameters=[ConsignmentsQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(ListedConsignmentSchema, key="consignments")},
    )
    def get(self, request: Request) -> JSONResponse:
        filters = validated(ConsignmentsQuery(data=merge_body_into_query(request)))
        return JSONResponse(consignments_page(request, filters, key="consignments"))


class RestConsignmentsView(APIView):
    """All consignments, newest first."""

    @extend_schema(
        summary="List consignments",
        description="Newest first.",
        parameters=[ConsignmentsQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(ListedConsignmentSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        return JSONResponse(
            consignments_page(request, validated_query(ConsignmentsQuery, request), key="results")
        )

    @extend_schema(
        summary="Add a consignment",
        request=NewConsignmentSerializer,
        responses={201: schema_of(ConsignmentSchema), **CONFLICT_RESPONSE},
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        return JSONResponse(serialize_consignment(_create(request)), status=201)


class RestConsignmentView(APIView):
    """One consignment."""

    @extend_schema(summary="Get a consignment", responses={200: schema_of(ConsignmentSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_consignment(visible_consignment(request, pk)))

    @extend_schema(
        summary="Change a consignment",
        request=ConsignmentSerializer(partial=True),
        responses={200: schema_of(ConsignmentSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        consignment = visible_consignment(request, pk)
        return JSONResponse(serialize_consignment(_change(request, consignment, request.data)))

    @extend_schema(
        summary="Delete a consignment",
        description=_DELETION,
        responses={204: None},
    )
    def delete(self, request: Request, pk: int) -> JSONResponse:
        consignment = visible_consignment(request, pk)
        delete_consignment(actor=actor_of(request), consignment=consignment)
        return JSONResponse(status=204)


class RestoreConsignmentView(APIView):
    """`POST /api/consignments/<id>/restore/`."""

    @extend_schema(
        summary="Restore a deleted consignment",
        description=(
            "With its logs, which keep their ids, and linked to its files and notes again, where "
            "these have not been deleted or linked to anything else meanwhile. 409 names what has "
            "been taken by others: its name, or barcodes of its logs."
        ),
        request=None,
        responses={200: schema_of(ConsignmentSchema), **CONFLICT_RESPONSE},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> JSONResponse:
        actor = actor_of(request)
        deleted = DeletedConsignment.objects.get_visible(actor, pk, "client__subscription")
        return JSONResponse(
            serialize_consignment(restore_consignment(actor=actor, deleted=deleted))
        )


def visible_consignment(request: Request, pk: int) -> Consignment:
    """Return a consignment that the user may see, with the subscription that writes check."""
    return Consignment.objects.get_visible(actor_of(request), pk, "client__subscription")


def _requested_consignment(request: Request, params: Mapping[str, Any]) -> Consignment:
    consignment_id = get_id_or_400(params, noun="consignment")
    return visible_consignment(request, parse_id(consignment_id, "consignment_id"))


def get_linked_consignment(actor: User, params: Mapping[str, Any]) -> Consignment | None:
    """Return the consignment named in a form, a body or a query; None where null or blank."""
    consignment_id = params.get("consignment_id")
    return get_optional_row(Consignment.objects, actor, consignment_id, "consignment_id")


def _create(request: Request) -> Consignment:
    fields = validated(NewConsignmentSerializer(data=request.data))
    client = acting_client(actor_of(request), fields.pop("client_id", None))
    author = _author(request, fields.pop("user_id", None))
    return open_consignment(actor=actor_of(request), client=client, created_by=author, **fields)


def _change(request: Request, consignment: Consignment, params: Any) -> Consignment:
    fields = validated(ConsignmentSerializer(data=params, partial=True))
    sentence = "A consignment stays with its client."
    check_same_client(actor_of(request), consignment, params.get("client_id"), sentence)
    author = _author(request, fields.pop("user_id", None))
    return change_consignment(
        actor=actor_of(request), consignment=consignment, updated_by=author, **fields
    )


def _author(request: Request, user_id: int | None) -> User | None:
    return get_optional_row(User.objects, actor_of(request), user_id, "user_id")
