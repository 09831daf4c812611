"""The endpoints of users: `/timba/user`, `/timba/users`, `/api/users/` and `/api/users/<id>/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import (
    MAX_ADDRESS,
    MAX_CONTACT,
    MAX_NAME,
    MAX_USERNAME,
    Client,
    Role,
    User,
)
from timba.accounts.schemas import UserSchema, serialize_user
from timba.accounts.services import add_user, change_user, delete_user
from timba.api.authentication import actor_of
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CLIENT_FILTER_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    QuerySerializer,
    acting_client,
    check_same_client,
    filter_by_client,
    paginated,
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
from timba.errors import Invalid


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}]})
class RoleField(serializers.Field[Any, Any, Any, Any]):
    """The id or the name of a role."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, str | int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError("Give a role's id or its name.")


@example_request(
    {"username": "anna", "name": "Anna Ozola", "role": "manager", "password": "four oaks in a row"}
)
class UserFieldsSerializer(serializers.Serializer[User]):
    """The fields of a user that can be given and changed."""

    username = serializers.CharField(
        max_length=MAX_USERNAME,
        trim_whitespace=False,
        help_text="Name to sign in with, unique across all clients.",
    )
    name = serializers.CharField(max_length=MAX_NAME, help_text="Full name.")
    address = serializers.CharField(
        max_length=MAX_ADDRESS, allow_blank=True, required=False, help_text="Postal address."
    )
    contact = serializers.CharField(
        max_length=MAX_CONTACT,
        allow_blank=True,
        required=False,
        help_text="Telephone number or e-mail address.",
    )
    role = RoleField(help_text="Id or name of the user's role.")
    password = serializers.CharField(
        trim_whitespace=False,
        required=False,
        write_only=True,
        help_text="The new password: at least 8 characters, not a common one.",
    )
    is_active = serializers.BooleanField(
        required=False, help_text="Whether the user may sign in and takes a seat."
    )


class NewUserSerializer(UserFieldsSerializer):
    """A new user."""

    client_id = serializers.IntegerField(
        required=False, allow_null=True, help_text=ACTING_CLIENT_HELP
    )


@example_request({"name": "Anna Kalniņa", "contact": "+371 2000 0002"})
class UserSerializer(UserFieldsSerializer):
    """The changes to a user."""

    current_password = serializers.CharField(
        trim_whitespace=False,
        required=False,
        write_only=True,
        help_text="The present password; needed to change one's own password.",
    )


@example_request({"user_id": 3, "name": "Anna Kalniņa", "contact": "+371 2000 0002"})
class UserWithIdSerializer(UserSerializer):
    """The changes to a user, and the id of the user."""

    user_id = serializers.IntegerField(help_text="Id of the user.")


class UsersQuery(QuerySerializer):
    """Filters of the list."""

    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)


class UserView(APIView):
    """One user."""

    @extend_schema(
        summary="Get a user (/timba)",
        parameters=id_parameters("user"),
        responses={200: schema_of(UserSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        return JSONResponse(
            serialize_user(_requested_user(request, merge_query_and_body(request, noun="user")))
        )

    @extend_schema(
        summary="Add a user (/timba)",
        request=NewUserSerializer,
        responses={201: created_schema("user", UserSchema)},
    )
    @idempotent
    def put(self, request: Request) -> JSONResponse:
        return created_response("user", serialize_user(_add(request)))

    @extend_schema(
        summary="Change a user (/timba)",
        parameters=id_parameters("user"),
        request=UserWithIdSerializer(partial=True),
        responses={200: changed_schema("user", UserSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request) -> JSONResponse:
        params = merge_query_and_body(request, noun="user")
        return changed_response(
            "user", serialize_user(_change(request, _requested_user(request, params), params))
        )

    @extend_schema(
        summary="Delete a user (/timba)",
        description="What the user created stays.",
        parameters=id_parameters("user"),
        responses={200: deleted_schema("user"), **CONFLICT_RESPONSE},
    )
    def delete(self, request: Request) -> JSONResponse:
        user = _requested_user(request, merge_query_and_body(request, noun="user"))
        delete_user(actor=actor_of(request), user=user)
        return deleted_response("user")


class UsersView(APIView):
    """All users."""

    @extend_schema(
        summary="List users (/timba)",
        description="In the order of their ids.",
        parameters=[
            OpenApiParameter("client_id", int, description=CLIENT_FILTER_HELP),
            *PAGE_PARAMETERS,
        ],
        responses={200: page_schema(UserSchema, key="users")},
    )
    def get(self, request: Request) -> JSONResponse:
        client_id = merge_body_into_query(request).get("client_id")
        return JSONResponse(_page(request, client_id, key="users"))


class RestUsersView(APIView):
    """All users, by id."""

    @extend_schema(
        summary="List users",
        description="In the order of their ids.",
        parameters=[UsersQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(UserSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        client_id = validated_query(UsersQuery, request).get("client_id")
        return JSONResponse(_page(request, client_id, key="results"))

    @extend_schema(
        summary="Add a user", request=NewUserSerializer, responses={201: schema_of(UserSchema)}
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        return JSONResponse(serialize_user(_add(request)), status=201)


class RestUserView(APIView):
    """One user."""

    @extend_schema(summary="Get a user", responses={200: schema_of(UserSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_user(_visible_user(request, pk)))

    @extend_schema(
        summary="Change a user",
        request=UserSerializer(partial=True),
        responses={200: schema_of(UserSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        user = _visible_user(request, pk)
        return JSONResponse(serialize_user(_change(request, user, request.data)))

    @extend_schema(
        summary="Delete a user",
        description="What the user created stays.",
        responses={204: None, **CONFLICT_RESPONSE},
    )
    def delete(self, request: Request, pk: int) -> JSONResponse:
        delete_user(actor=actor_of(request), user=_visible_user(request, pk))
        return JSONResponse(status=204)


def _visible_user(request: Request, pk: int) -> User:
    return User.objects.get_visible(actor_of(request), pk, "client__subscription", "role")


def _requested_user(request: Request, params: dict[str, Any]) -> User:
    return _visible_user(request, parse_id(get_id_or_400(params, noun="user"), "user_id"))


def _page(request: Request, client_id: Any, *, key: str) -> dict[str, Any]:
    actor = actor_of(request)
    users = filter_by_client(User.objects.visible_to(actor), actor, client_id)
    return paginated(users, request=request, serialize=serialize_user, order=("id",), key=key)


def _add(request: Request) -> User:
    fields = validated(NewUserSerializer(data=request.data))
    client = acting_client(actor_of(request), fields.pop("client_id", None))
    fields["role"] = _role(client, fields["role"])
    return add_user(actor=actor_of(request), client=client, **fields)


def _change(request: Request, user: User, params: Any) -> User:
    fields = validated(UserSerializer(data=params, partial=True))
    # What users have created belongs to the client that they are in.
    sentence = "A user stays with one client: add a new user there."
    check_same_client(actor_of(request), user, params.get("client_id"), sentence)
    if "role" in fields:
        fields["role"] = _role(user.client, fields["role"])
    return change_user(actor=actor_of(request), user=user, **fields)


def _role(client: Client | None, name_or_id: str | int) -> Role:
    if client is None:
        raise Invalid(fields={"role": ["Staff have no role: leave it out."]})
    return Role.unscoped.assignable_in(client).by_name_or_id(name_or_id)
