"""The consignments' door `/timba/consignment`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.envelopes import created, envelope, id_parameters, own_id, parameters
from timba.api.idempotency import idempotent
from timba.api.queries import read
from timba.api.schema import shape
from timba.api.scope import acting_client, named
from timba.consignments.models import Consignment
from timba.consignments.rules import MAX_NAME, MAX_VEHICLE_NUMBER
from timba.consignments.services import open_consignment
from timba.consignments.shapes import ConsignmentShape, consignment_shape
from timba.places.models import CITY_NUMBERS


class ConsignmentInput(serializers.Serializer[Any]):
    """A new consignment; client and user are the caller's unless said."""

    client_id = serializers.IntegerField(required=False, allow_null=True)
    user_id = serializers.IntegerField(required=False, allow_null=True)
    name = serializers.CharField(max_length=MAX_NAME, trim_whitespace=False)
    type = serializers.ChoiceField(choices=Consignment.Type.choices)
    vehicle_number = serializers.CharField(
        max_length=MAX_VEHICLE_NUMBER, allow_blank=True, required=False
    )
    city_id = serializers.IntegerField(
        min_value=CITY_NUMBERS[0], max_value=CITY_NUMBERS[-1], required=False, allow_null=True
    )


class ConsignmentDoor(APIView):
    """One consignment."""

    @extend_schema(
        parameters=id_parameters("consignment"), responses={200: shape(ConsignmentShape)}
    )
    def get(self, request: Request) -> Response:
        consignment_id = own_id(parameters(request, noun="consignment"), noun="consignment")
        consignments = Consignment.objects.visible_to(request.user)
        return Response(consignment_shape(named(consignments, consignment_id, "consignment_id")))

    @extend_schema(request=ConsignmentInput, responses={201: envelope(ConsignmentShape)})
    @idempotent
    def put(self, request: Request) -> Response:
        sent = read(ConsignmentInput(data=request.data))
        actor = actor_of(request)
        client = acting_client(actor, sent.pop("client_id", None))
        user_id = sent.pop("user_id", None)
        author = None
        if user_id is not None:
            author = named(User.objects.visible_to(actor), user_id, "user_id")
        consignment = open_consignment(actor=actor, client=client, created_by=author, **sent)
        return created("consignment", consignment_shape(consignment))
