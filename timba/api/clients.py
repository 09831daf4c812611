"""The clients' door: `/timba/client`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.attempts import take_attempt
from timba.accounts.models import MAX_USERNAME, Client
from timba.accounts.services import FirstOwner, open_client, sign_up
from timba.accounts.shapes import ClientShape, client_shape
from timba.api.authentication import actor_of
from timba.api.envelopes import created, envelope, id_parameters, parameters
from timba.api.idempotency import idempotent
from timba.api.queries import read
from timba.api.schema import TOO_MANY, shape
from timba.api.scope import acting_client

SIGN_UPS_PER_HOUR: Final = 10


class NewClientInput(serializers.Serializer[Client]):
    """A new client, and with whom it begins."""

    name = serializers.CharField(max_length=200)
    address = serializers.CharField(max_length=500, allow_blank=True, required=False)
    contact = serializers.CharField(max_length=200, allow_blank=True, required=False)
    email = serializers.EmailField(allow_blank=True, required=False)
    username = serializers.CharField(
        max_length=MAX_USERNAME,
        trim_whitespace=False,
        required=False,
        help_text="of its first owner",
    )
    password = serializers.CharField(
        trim_whitespace=False, required=False, write_only=True, help_text="of its first owner"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {"username", "password"} & attrs.keys()
        missing = {"username", "password"} - attrs.keys()
        if missing and (given or self.context["needs_owner"]):
            raise serializers.ValidationError(
                dict.fromkeys(missing, "A first owner needs a username and a password.")
            )
        return attrs


class ClientDoor(APIView):
    """One client: the own one, or for staff the one that is named."""

    def get_permissions(self) -> list[BasePermission]:
        # Who may sign up here may do so without being signed in.
        open_to_all = self.request.method == "PUT" and settings.TIMBA_OPEN_SIGNUP
        return [AllowAny() if open_to_all else IsAuthenticated()]

    @extend_schema(parameters=id_parameters("client"), responses={200: shape(ClientShape)})
    def get(self, request: Request) -> Response:
        given = parameters(request, noun="client")
        return Response(client_shape(acting_client(actor_of(request), given.get("client_id"))))

    @extend_schema(
        request=NewClientInput,
        responses={201: envelope(ClientShape), **TOO_MANY},
    )
    @idempotent
    def put(self, request: Request) -> Response:
        signs_up = settings.TIMBA_OPEN_SIGNUP and not actor_of(request).is_staff
        if signs_up:
            take_attempt(
                what="sign-up",
                who=request.META["REMOTE_ADDR"],
                limit=SIGN_UPS_PER_HOUR,
                window=timedelta(hours=1),
            )
        sent = read(NewClientInput(data=request.data, context={"needs_owner": signs_up}))
        owner = None
        if "username" in sent:
            owner = FirstOwner(username=sent.pop("username"), password=sent.pop("password"))
        if signs_up and owner is not None:
            client = sign_up(owner=owner, **sent)
        else:
            client = open_client(actor=actor_of(request), owner=owner, **sent)
        return created("client", client_shape(client))
