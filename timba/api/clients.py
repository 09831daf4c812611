"""The endpoints of clients: `/timba/client`, `/api/clients/` and `/api/clients/<id>/`."""

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
from rest_framework.views import APIView

from timba.accounts.addresses import address_group
from timba.accounts.models import (
    MAX_ADDRESS,
    MAX_CONTACT,
    MAX_NAME,
    MAX_TIME_ZONE,
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
from timba.accounts.subscriptions import (
    MAX_QUOTA_BYTES,
    MAX_SEATS,
    STATUSES,
    change_subscription,
)
from timba.api.authentication import actor_of
from timba.api.http import (
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    acting_client,
    paginated,
    requested_client,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import (
    created_response,
    created_schema,
    id_parameters,
    merge_query_and_body,
)
from timba.api.openapi import (
    CONFLICT_RESPONSE,
    RATE_LIMIT_RESPONSE,
    example_request,
    page_schema,
    schema_of,
)

SIGN_UP_RATE: Final = Rate(scope="sign-up", limit=10, window=timedelta(hours=1))


@example_request(
    {"name": "Baltic Timber", "address": "Dock Road 4, Riga", "email": "office@baltic.example"}
)
class ClientFieldsSerializer(serializers.Serializer[Client]):
    """The fields of a client that can be given and changed."""

    name = serializers.CharField(max_length=MAX_NAME, help_text="Name of the company.")
    address = serializers.CharField(
        max_length=MAX_ADDRESS, allow_blank=True, required=False, help_text="Postal address."
    )
    contact = serializers.CharField(
        max_length=MAX_CONTACT,
        allow_blank=True,
        required=False,
        help_text="Person or telephone number to contact.",
    )
    email = serializers.EmailField(allow_blank=True, required=False, help_text="E-mail address.")
    time_zone = serializers.CharField(
        max_length=MAX_TIME_ZONE,
        required=False,
        help_text="Zone of the times in PDFs and on paper, by its IANA name; UTC if left out.",
    )


class NewClientSerializer(ClientFieldsSerializer):
    """A new client, and its first owner if one is created with it."""

    username = serializers.CharField(
        max_length=MAX_USERNAME,
        trim_whitespace=False,
        required=False,
        help_text="Username of the first owner; staff may leave it out.",
    )
    password = serializers.CharField(
        trim_whitespace=False,
        required=False,
        write_only=True,
        help_text="Password of the first owner: at least 8 characters, not a common one.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = {"username", "password"} - attrs.keys()
        if missing and (len(missing) == 1 or self.context["needs_owner"]):
            raise serializers.ValidationError(
                dict.fromkeys(missing, "A first owner needs a username and a password.")
            )
        return attrs


class ClientSerializer(ClientFieldsSerializer):
    """The changes to a client."""

    is_active = serializers.BooleanField(
        required=False,
        help_text="False suspends the client: its users cannot sign in. Only staff change it.",
    )


class ClientsQuery(QuerySerializer):
    """Filters of the list."""

    client_id = serializers.IntegerField(required=False, help_text="Only the client with this id.")


class ClientView(APIView):
    """One client: the user's own, or the one that staff name."""

    def get_permissions(self) -> list[BasePermission]:
        return _sign_up_permissions(self.request, create_method="PUT")

    @extend_schema(
        summary="Get a client (/timba)",
        description="Staff name the client; other users get their own.",
        parameters=id_parameters("client"),
        responses={200: schema_of(ClientSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="client")
        actor, client_id = actor_of(request), params.get("client_id")
        # The actor's own client too is read anew: a cached one could be a second old.
        own_or_named = actor.client_id if client_id in (None, "") else client_id
        return JSONResponse(serialize_client(acting_client(actor, own_or_named)))

    @extend_schema(
        summary="Add a client (/timba)",
        description="For staff. Where open sign-up is on, for anyone, without credentials.",
        request=NewClientSerializer,
        responses={201: created_schema("client", ClientSchema), **RATE_LIMIT_RESPONSE},
    )
    @idempotent
    def put(self, request: Request) -> JSONResponse:
        return created_response("client", serialize_client(_open_client(request)))


class RestClientsView(APIView):
    """All clients for staff; other users see only their own."""

    def get_permissions(self) -> list[BasePermission]:
        return _sign_up_permissions(self.request, create_method="POST")

    @extend_schema(
        summary="List clients",
        description="Staff see all clients, other users their own. Newest first.",
        parameters=[ClientsQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(ClientSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        clients = Client.objects.visible_to(actor_of(request)).select_related("subscription")
        client = requested_client(
            actor_of(request), validated_query(ClientsQuery, request).get("client_id")
        )
        if client is not None:
            clients = clients.filter(pk=client.pk)
        return JSONResponse(paginated(clients, request=request, serialize=serialize_client))

    @extend_schema(
        summary="Add a client",
        description="For staff. Where open sign-up is on, for anyone, without credentials.",
        request=NewClientSerializer,
        responses={201: schema_of(ClientSchema), **RATE_LIMIT_RESPONSE},
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        return JSONResponse(serialize_client(_open_client(request)), status=201)


class RestClientView(APIView):
    """One client. `users.manage` is needed to change it; only staff suspend or reactivate it."""

    @extend_schema(summary="Get a client", responses={200: schema_of(ClientSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_client(visible_client(request, pk)))

    @extend_schema(
        summary="Change a client",
        description="Only staff change `is_active`.",
        request=ClientSerializer(partial=True),
        responses={200: schema_of(ClientSchema)},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        client = visible_client(request, pk)
        changes = validated(ClientSerializer(data=request.data, partial=True))
        client = change_client(actor=actor_of(request), client=client, **changes)
        return JSONResponse(serialize_client(client))

    def http_method_not_allowed(
        self,
        request: HttpRequest,
        *args: Any,  # noqa: ARG002 - DRF's signature
        **kwargs: Any,  # noqa: ARG002 - DRF's signature
    ) -> NoReturn:
        """Explain to a DELETE why a client cannot be deleted."""
        detail = None
        if request.method == "DELETE":
            detail = "Clients are suspended, not deleted: PATCH is_active to false."
        raise MethodNotAllowed(str(request.method), detail=detail)


def visible_client(request: Request, pk: int) -> Client:
    """Return the client with the id of a path.

    Raises the same NotFound for a client that is absent and one that the user may not see.
    """
    return Client.objects.get_visible(actor_of(request), pk, "subscription")


def _sign_up_permissions(request: Request, *, create_method: str) -> list[BasePermission]:
    """Require a signed-in user, except to create a client where open sign-up is on."""
    is_open = request.method == create_method and settings.TIMBA_OPEN_SIGNUP
    return [AllowAny() if is_open else IsAuthenticated()]


def _open_client(request: Request) -> Client:
    actor = actor_of(request)
    is_sign_up = settings.TIMBA_OPEN_SIGNUP and not actor.is_staff
    if is_sign_up:
        hit(SIGN_UP_RATE, subject=address_group(request.META["REMOTE_ADDR"]))
    fields = validated(NewClientSerializer(data=request.data, context={"needs_owner": is_sign_up}))
    owner = None
    if "username" in fields:
        owner = FirstOwner(username=fields.pop("username"), password=fields.pop("password"))
    if is_sign_up and owner is not None:
        return sign_up(owner=owner, **fields)
    return open_client(actor=actor, owner=owner, **fields)


@example_request({"seats": 10, "quota_bytes": 5 * 1024**3})
class SubscriptionSerializer(serializers.Serializer[Subscription]):
    """The changes to a subscription."""

    plan = serializers.ChoiceField(
        choices=Subscription.Plan.choices, help_text="The plan: trial or standard."
    )
    seats = serializers.IntegerField(
        min_value=1, max_value=MAX_SEATS, help_text="How many users may be active at once."
    )
    status = serializers.ChoiceField(
        choices=STATUSES,
        help_text="trial and active set the plan, lapsed the end of the period, unless given here.",
    )
    current_period_end = serializers.DateTimeField(
        help_text="When the paid or trial period ends (ISO 8601; UTC without an offset)."
    )
    quota_bytes = serializers.IntegerField(
        min_value=0,
        max_value=MAX_QUOTA_BYTES,
        allow_null=True,
        help_text="How many bytes the client's files may take; null for no limit.",
    )


class SubscriptionView(APIView):
    """A client's subscription, which staff change."""

    @extend_schema(
        summary="Get a client's subscription", responses={200: schema_of(SubscriptionSchema)}
    )
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_subscription(visible_client(request, pk).subscription))

    @extend_schema(
        summary="Change a client's subscription",
        description="Only for staff.",
        request=SubscriptionSerializer(partial=True),
        responses={200: schema_of(SubscriptionSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        client = visible_client(request, pk)
        changes = validated(SubscriptionSerializer(data=request.data, partial=True))
        subscription = change_subscription(actor=actor_of(request), client=client, **changes)
        return JSONResponse(serialize_subscription(subscription))
