"""The endpoints of logs: `/timba/log(s)`, `/api/consignments/<id>/logs/` and `/api/logs/<id>/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment, visible_consignment
from timba.api.http import (
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    check_same_client,
    paginated,
    parse_id,
    requested_client,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent_for_logs
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
from timba.api.openapi import (
    CONFLICT_RESPONSE,
    Schema,
    example_request,
    page_schema,
    schema_of,
)
from timba.consignments.barcode_text import MAX_BARCODE
from timba.consignments.logs import add_log, change_log, delete_log
from timba.consignments.measures import MEASURE_DECIMALS, MEASURE_DIGITS, PLAUSIBLE
from timba.consignments.models import Consignment, Log
from timba.consignments.schemas import (
    ConsignmentSchema,
    LogSchema,
    serialize_consignment,
    serialize_log,
)
from timba.db.search_keys import compact_key
from timba.errors import Invalid, NotFound

_BARCODE_HELP: Final = (
    f"Barcode on the log, 1 to {MAX_BARCODE} printable characters. It is kept in NFC with single "
    "blanks and without invisible characters, and is unique within its client whatever the letter "
    "case."
)


@extend_schema_field({"type": ["number", "string"], "exclusiveMinimum": 0})
class MeasureField(serializers.DecimalField):
    """A measure of a log, with the digits that the database stores; the service checks more."""

    def __init__(self, measure: str, *, unit: str) -> None:
        plausible = PLAUSIBLE[measure]
        super().__init__(
            max_digits=MEASURE_DIGITS,
            decimal_places=MEASURE_DECIMALS,
            help_text=f"{measure.capitalize()} in {unit}, {plausible.least} to {plausible.most}, "
            f"at most {MEASURE_DECIMALS} decimals.",
        )


@example_request({"barcode": "TB-1-71", "length": 4.2, "breadth": 30, "height": 30})
class LogSerializer(serializers.Serializer[Any]):
    """The fields of a log."""

    # The service checks the length of the normal form, which can be shorter.
    barcode = serializers.CharField(trim_whitespace=False, required=False, help_text=_BARCODE_HELP)
    length = MeasureField("length", unit="metres (m)")
    breadth = MeasureField("breadth", unit="centimetres (cm)")
    height = MeasureField("height", unit="centimetres (cm)")


class NewLogSerializer(LogSerializer):
    """A new log."""

    barcode = serializers.CharField(
        trim_whitespace=False,
        required=False,
        allow_null=True,
        help_text=f"{_BARCODE_HELP} By default, Timba assigns one.",
    )


@example_request({"consignment_id": 12, "length": 4.2, "breadth": 30, "height": 30})
class NewLogOfConsignmentSerializer(NewLogSerializer):
    """A new log, and the consignment that it belongs to."""

    consignment_id = serializers.IntegerField(help_text="Id of the consignment.")
    client_id = serializers.IntegerField(
        required=False, allow_null=True, help_text="Id of the consignment's client."
    )


@example_request({"log_id": 71, "length": 4.25})
class LogWithIdSerializer(LogSerializer):
    """The changes to a log, and its id."""

    log_id = serializers.IntegerField(help_text="Id of the log.")


class LogsQuery(QuerySerializer):
    """Filters of the list."""

    barcode = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Only logs with this barcode; letter case, accents, blanks and hyphens do not "
        "matter.",
    )


def _consignment_page_schema() -> Schema:
    listed = page_schema(LogSchema, key="logs")
    consignment = {"allOf": [schema_of(ConsignmentSchema)], "description": "The consignment."}
    properties = {"consignment": consignment, **listed["properties"]}
    return {**listed, "properties": properties, "required": list(properties)}


class LogView(APIView):
    """One log."""

    @extend_schema(
        summary="Get a log (/timba)",
        parameters=id_parameters("log"),
        responses={200: schema_of(LogSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        return JSONResponse(
            serialize_log(_requested_log(request, merge_query_and_body(request, noun="log")))
        )

    @extend_schema(
        summary="Add a log (/timba)",
        request=NewLogOfConsignmentSerializer,
        responses={201: created_schema("log", LogSchema), **CONFLICT_RESPONSE},
    )
    @idempotent_for_logs
    def put(self, request: Request) -> JSONResponse:
        fields = validated(NewLogOfConsignmentSerializer(data=request.data))
        consignment = _consignment(
            request, fields.pop("consignment_id"), fields.pop("client_id", None)
        )
        return created_response(
            "log",
            serialize_log(add_log(actor=actor_of(request), consignment=consignment, **fields)),
        )

    @extend_schema(
        summary="Change a log (/timba)",
        parameters=id_parameters("log"),
        request=LogWithIdSerializer(partial=True),
        responses={200: changed_schema("log", LogSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="log")
        return changed_response(
            "log", serialize_log(_change(request, _requested_log(request, params), params))
        )

    @extend_schema(
        summary="Delete a log (/timba)",
        parameters=id_parameters("log"),
        responses={200: deleted_schema("log")},
    )
    def delete(self, request: Request) -> JSONResponse:
        log = _requested_log(request, merge_query_and_body(request, noun="log"))
        delete_log(actor=actor_of(request), log=log)
        return deleted_response("log")


class LogsView(APIView):
    """A consignment with its logs, in the order of arrival."""

    @extend_schema(
        summary="List a consignment with its logs (/timba)",
        description="In the order in which they were added.",
        parameters=[
            OpenApiParameter(
                "consignment_id", int, description="Id of the consignment.", required=True
            ),
            OpenApiParameter("client_id", int, description="Id of the consignment's client."),
            LogsQuery,
            *PAGE_PARAMETERS,
        ],
        responses={200: _consignment_page_schema()},
    )
    def get(self, request: Request) -> JSONResponse:
        params = merge_body_into_query(request)
        consignment_id = get_id_or_400(params, noun="consignment")
        consignment = _consignment(request, consignment_id, params.get("client_id"))
        logs = _page(request, consignment, validated(LogsQuery(data=params)), key="logs")
        return JSONResponse({"consignment": serialize_consignment(consignment), **logs})


class RestLogsView(APIView):
    """The logs of a consignment, in the order of arrival."""

    @extend_schema(
        summary="List the logs of a consignment",
        description="In the order in which they were added.",
        parameters=[LogsQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(LogSchema)},
    )
    def get(self, request: Request, pk: int) -> JSONResponse:
        consignment = visible_consignment(request, pk)
        return JSONResponse(
            _page(request, consignment, validated_query(LogsQuery, request), key="results")
        )

    @extend_schema(
        summary="Add a log to a consignment",
        request=NewLogSerializer,
        responses={201: schema_of(LogSchema), **CONFLICT_RESPONSE},
    )
    @idempotent_for_logs
    def post(self, request: Request, pk: int) -> JSONResponse:
        consignment = visible_consignment(request, pk)
        fields = validated(NewLogSerializer(data=request.data))
        return JSONResponse(
            serialize_log(add_log(actor=actor_of(request), consignment=consignment, **fields)),
            status=201,
        )


class RestLogView(APIView):
    """One log."""

    @extend_schema(summary="Get a log", responses={200: schema_of(LogSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_log(_visible_log(request, pk)))

    @extend_schema(
        summary="Change a log",
        request=LogSerializer(partial=True),
        responses={200: schema_of(LogSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        log = _visible_log(request, pk)
        return JSONResponse(serialize_log(_change(request, log, request.data)))

    @extend_schema(summary="Delete a log", responses={204: None})
    def delete(self, request: Request, pk: int) -> JSONResponse:
        delete_log(actor=actor_of(request), log=_visible_log(request, pk))
        return JSONResponse(status=204)


def _visible_log(request: Request, pk: int) -> Log:
    return Log.objects.get_visible(actor_of(request), pk, "client__subscription")


def _requested_log(request: Request, params: Mapping[str, Any]) -> Log:
    return _visible_log(request, parse_id(get_id_or_400(params, noun="log"), "log_id"))


def _consignment(request: Request, consignment_id: Any, client_id: Any) -> Consignment:
    """Return the requested consignment, of the requested client if there is one."""
    client = requested_client(actor_of(request), client_id)
    consignment = visible_consignment(request, parse_id(consignment_id, "consignment_id"))
    if client is not None and consignment.client_id != client.pk:
        raise NotFound("There is no such consignment.")
    return consignment


def _page(
    request: Request, consignment: Consignment, filters: Mapping[str, Any], *, key: str
) -> dict[str, Any]:
    logs = Log.objects.visible_to(request.user).filter(consignment=consignment)
    if filters.get("barcode"):
        # The index on search keys starts with the client.
        barcode = compact_key(filters["barcode"])
        logs = logs.filter(client_id=consignment.client_id, barcode_search_key=barcode)
    return paginated(logs, request=request, serialize=serialize_log, order=("id",), key=key)


def _change(request: Request, log: Log, params: Any) -> Log:
    fields = validated(LogSerializer(data=params, partial=True))
    sentence = "A log stays with its client."
    check_same_client(actor_of(request), log, params.get("client_id"), sentence)
    consignment = get_linked_consignment(actor_of(request), params)
    if consignment is not None and consignment.pk != log.consignment_id:
        sentence = "A log stays in its consignment: delete it, and add it to the other one."
        raise Invalid(fields={"consignment_id": [sentence]})
    return change_log(actor=actor_of(request), log=log, **fields)
