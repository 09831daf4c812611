"""The clients' doors: `/timba/client`, `/api/clients/` and `/api/clients/<id>/`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NoReturn

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.addresses import address_group
from timba.accounts.models import (
    MAX_ADDRESS,
    MAX_CONTACT,
    MAX_NAME,
    MAX_USERNAME,
    Client,
    Subscription,
)
from timba.accounts.rate_limit import Rate, hit
from timba.accounts.schemas import (
    ClientSchema,
    SubscriptionSchema,
    serialize_client,
    serialize_subscription,
)
from timba.accounts.services import FirstOwner, change_client, open_client, sign_up
from timba.accounts.subscriptions import MAX_SEATS, STATUSES, change_subscription
from timba.api.authentication import actor_of
from timba.api.http import (
    QuerySerializer,
    acting_client,
    requested_client,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import (
    created_response,
    id_parameters,
    merge_query_and_body,
    message_and_data_schema,
)
from timba.api.openapi import CONFLICT_RESPONSE, RATE_LIMIT_RESPONSE, page_schema, schema_of
from timba.api.pagination import PAGE_PARAMETERS, paginate

SIGN_UP_RATE: Final = Rate(scope="sign-up", limit=10, window=timedelta(hours=1))


class ClientInput(serializers.Serializer[Client]):
    """What may be written about a client."""

    name = serializers.CharField(max_length=MAX_NAME)
    address = serializers.CharField(max_length=MAX_ADDRESS, allow_blank=True, required=False)
    contact = serializers.CharField(max_length=MAX_CONTACT, allow_blank=True, required=False)
    email = serializers.EmailField(allow_blank=True, required=False)


class NewClientInput(ClientInput):
    """A new client, and with whom it begins."""

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


class ClientChangesInput(ClientInput):
    """What changes about a client."""

    is_active = serializers.BooleanField(
        required=False, help_text="false suspends the client: for staff"
    )


class ClientsQuery(QuerySerializer):
    """What narrows the list."""

    client_id = serializers.IntegerField(required=False, help_text="for staff")


class ClientView(APIView):
    """One client: the own one, or for staff the one that is named."""

    def get_permissions(self) -> list[BasePermission]:
        return _sign_up_permissions(self.request, opening="PUT")

    @extend_schema(parameters=id_parameters("client"), responses={200: schema_of(ClientSchema)})
    def get(self, request: Request) -> Response:
        given = merge_query_and_body(request, noun="client")
        return Response(serialize_client(acting_client(actor_of(request), given.get("client_id"))))

    @extend_schema(
        request=NewClientInput,
        responses={201: message_and_data_schema(ClientSchema), **RATE_LIMIT_RESPONSE},
    )
    @idempotent
    def put(self, request: Request) -> Response:
        return created_response("client", serialize_client(_open_client(request)))


class RestClientsView(APIView):
    """All clients, for staff; everyone else sees the own one."""

    def get_permissions(self) -> list[BasePermission]:
        return _sign_up_permissions(self.request, opening="POST")

    @extend_schema(
        parameters=[ClientsQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(ClientSchema)},
    )
    def get(self, request: Request) -> Response:
        clients = Client.objects.visible_to(actor_of(request)).select_related("subscription")
        client = requested_client(
            actor_of(request), validated_query(ClientsQuery, request).get("client_id")
        )
        if client is not None:
            clients = clients.filter(pk=client.pk)
        return Response(paginate(clients, request=request, serialize=serialize_client))

    @extend_schema(
        request=NewClientInput, responses={201: schema_of(ClientSchema), **RATE_LIMIT_RESPONSE}
    )
    @idempotent
    def post(self, request: Request) -> Response:
        return Response(serialize_client(_open_client(request)), status=201)


class RestClientView(APIView):
    """One client. Who manages its users writes about it; staff suspend it, or let it in again."""

    @extend_schema(responses={200: schema_of(ClientSchema)})
    def get(self, request: Request, pk: int) -> Response:
        return Response(serialize_client(visible_client(request, pk)))

    @extend_schema(
        request=ClientChangesInput(partial=True), responses={200: schema_of(ClientSchema)}
    )
    def patch(self, request: Request, pk: int) -> Response:
        client = visible_client(request, pk)
        sent = validated(ClientChangesInput(data=request.data, partial=True))
        client = change_client(actor=actor_of(request), client=client, **sent)
        return Response(serialize_client(client))

    def http_method_not_allowed(
        self,
        request: HttpRequest,
        *args: Any,  # noqa: ARG002 - DRF's signature
        **kwargs: Any,  # noqa: ARG002 - DRF's signature
    ) -> NoReturn:
        """Say why a client cannot be deleted, to who tries."""
        detail = None
        if request.method == "DELETE":
            detail = "Clients are suspended, not deleted: PATCH is_active to false."
        raise MethodNotAllowed(str(request.method), detail=detail)


def visible_client(request: Request, pk: int) -> Client:
    """Return the client of a path; raise NotFound alike for foreign and absent ones."""
    clients = Client.objects.visible_to(actor_of(request)).select_related("subscription")
    return clients.get_or_not_found(pk=pk)


def _sign_up_permissions(request: Request, *, opening: str) -> list[BasePermission]:
    """Where anyone may sign up, the method that opens a client asks nobody who they are."""
    open_to_all = request.method == opening and settings.TIMBA_OPEN_SIGNUP
    return [AllowAny() if open_to_all else IsAuthenticated()]


def _open_client(request: Request) -> Client:
    actor = actor_of(request)
    signs_up = settings.TIMBA_OPEN_SIGNUP and not actor.is_staff
    if signs_up:
        hit(SIGN_UP_RATE, subject=address_group(request.META["REMOTE_ADDR"]))
    sent = validated(NewClientInput(data=request.data, context={"needs_owner": signs_up}))
    owner = None
    if "username" in sent:
        owner = FirstOwner(username=sent.pop("username"), password=sent.pop("password"))
    if signs_up and owner is not None:
        return sign_up(owner=owner, **sent)
    return open_client(actor=actor, owner=owner, **sent)


class SubscriptionInput(serializers.Serializer[Subscription]):
    """What changes about a subscription."""

    plan = serializers.ChoiceField(choices=Subscription.Plan.choices)
    seats = serializers.IntegerField(min_value=1, max_value=MAX_SEATS)
    status = serializers.ChoiceField(
        choices=STATUSES,
        help_text="chooses the plan and the end that go with it, where those are not given",
    )
    current_period_end = serializers.DateTimeField()


class SubscriptionView(APIView):
    """A client's subscription: staff extend, end or resize it."""

    @extend_schema(responses={200: schema_of(SubscriptionSchema)})
    def get(self, request: Request, pk: int) -> Response:
        return Response(serialize_subscription(visible_client(request, pk).subscription))

    @extend_schema(
        request=SubscriptionInput(partial=True),
        responses={200: schema_of(SubscriptionSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> Response:
        client = visible_client(request, pk)
        sent = validated(SubscriptionInput(data=request.data, partial=True))
        subscription = change_subscription(actor=actor_of(request), client=client, **sent)
        return Response(serialize_subscription(subscription))
