"""The logs' door `/timba/log`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.envelopes import created, envelope, id_parameters, own_id, parameters
from timba.api.idempotency import idempotent
from timba.api.queries import read
from timba.api.schema import shape
from timba.api.scope import client_named, named
from timba.consignments.measures import MEASURE_DECIMALS, MEASURE_DIGITS
from timba.consignments.models import Consignment, Log
from timba.consignments.rules import MAX_BARCODE
from timba.consignments.services import add_log
from timba.consignments.shapes import LogShape, log_shape
from timba.errors import NotFound


@extend_schema_field({"type": ["number", "string"], "exclusiveMinimum": 0})
class MeasureField(serializers.DecimalField):
    """A measure of a log, as exact as it is kept."""

    def __init__(self, *, unit: str) -> None:
        super().__init__(max_digits=MEASURE_DIGITS, decimal_places=MEASURE_DECIMALS, help_text=unit)


class LogInput(serializers.Serializer[Any]):
    """A new log; a barcode is made where none is given."""

    consignment_id = serializers.IntegerField()
    client_id = serializers.IntegerField(required=False, allow_null=True)
    barcode = serializers.CharField(
        max_length=MAX_BARCODE, trim_whitespace=False, required=False, allow_null=True
    )
    length = MeasureField(unit="metres")
    breadth = MeasureField(unit="centimetres")
    height = MeasureField(unit="centimetres")


class LogDoor(APIView):
    """One log."""

    @extend_schema(parameters=id_parameters("log"), responses={200: shape(LogShape)})
    def get(self, request: Request) -> Response:
        log_id = own_id(parameters(request, noun="log"), noun="log")
        return Response(log_shape(named(Log.objects.visible_to(request.user), log_id, "log_id")))

    @extend_schema(request=LogInput, responses={201: envelope(LogShape)})
    @idempotent
    def put(self, request: Request) -> Response:
        sent = read(LogInput(data=request.data))
        actor = actor_of(request)
        client = client_named(actor, sent.pop("client_id", None))
        consignments = Consignment.objects.visible_to(actor).select_related("client__subscription")
        consignment = named(consignments, sent.pop("consignment_id"), "consignment_id")
        if client is not None and consignment.client_id != client.pk:
            raise NotFound("There is no such consignment.")
        log = add_log(actor=actor, consignment=consignment, **sent)
        return created("log", log_shape(log))
