"""The users' doors: `/timba/user` and `/timba/users`, `/api/users/` and `/api/users/<id>/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
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
from timba.accounts.tenancy import TenantQuerySet
from timba.api.authentication import actor_of
from timba.api.http import (
    QuerySerializer,
    acting_client,
    filter_by_client,
    get_or_400,
    requested_client,
    validated,
    validated_query,
)
from timba.api.idempotency import idempotent
from timba.api.legacy_responses import (
    MESSAGE_SCHEMA,
    changed_response,
    created_response,
    deleted_response,
    get_id_or_400,
    id_parameters,
    merge_body_into_query,
    merge_query_and_body,
    message_and_data_schema,
)
from timba.api.openapi import CONFLICT_RESPONSE, page_schema, schema_of
from timba.api.pagination import PAGE_PARAMETERS, paginate
from timba.errors import Invalid


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}]})
class RoleField(serializers.Field[Any, Any, Any, Any]):
    """A role's id or its name."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, str | int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError("Give a role's id or its name.")


class UserInput(serializers.Serializer[User]):
    """What may be said of a user; a PATCH says only what changes."""

    username = serializers.CharField(max_length=MAX_USERNAME, trim_whitespace=False)
    name = serializers.CharField(max_length=MAX_NAME)
    address = serializers.CharField(max_length=MAX_ADDRESS, allow_blank=True, required=False)
    contact = serializers.CharField(max_length=MAX_CONTACT, allow_blank=True, required=False)
    role = RoleField()
    password = serializers.CharField(trim_whitespace=False, required=False, write_only=True)
    is_active = serializers.BooleanField(required=False)


class NewUserInput(UserInput):
    """A new user; staff say of which client."""

    client_id = serializers.IntegerField(required=False, allow_null=True)


class UserChangesInput(UserInput):
    """What changes about a user; one's own password needs the current one."""

    current_password = serializers.CharField(trim_whitespace=False, required=False, write_only=True)


class NamedUserChangesInput(UserChangesInput):
    """What changes about the user who is named."""

    user_id = serializers.IntegerField()


class UsersQuery(QuerySerializer):
    """What narrows the list."""

    client_id = serializers.IntegerField(required=False, help_text="for staff")


class UserView(APIView):
    """One user."""

    @extend_schema(parameters=id_parameters("user"), responses={200: schema_of(UserSchema)})
    def get(self, request: Request) -> Response:
        return Response(
            serialize_user(_named_user(request, merge_query_and_body(request, noun="user")))
        )

    @extend_schema(request=NewUserInput, responses={201: message_and_data_schema(UserSchema)})
    @idempotent
    def put(self, request: Request) -> Response:
        return created_response("user", serialize_user(_add(request)))

    @extend_schema(
        parameters=id_parameters("user"),
        request=NamedUserChangesInput(partial=True),
        responses={200: message_and_data_schema(UserSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request) -> Response:
        given = merge_query_and_body(request, noun="user")
        return changed_response(
            "user", serialize_user(_change(request, _named_user(request, given), given))
        )

    @extend_schema(
        parameters=id_parameters("user"), responses={200: MESSAGE_SCHEMA, **CONFLICT_RESPONSE}
    )
    def delete(self, request: Request) -> Response:
        user = _named_user(request, merge_query_and_body(request, noun="user"))
        delete_user(actor=actor_of(request), user=user)
        return deleted_response("user")


class UsersView(APIView):
    """All users."""

    @extend_schema(
        parameters=[
            OpenApiParameter("client_id", int, description="for staff"),
            *PAGE_PARAMETERS,
        ],
        responses={200: page_schema(UserSchema, key="users")},
    )
    def get(self, request: Request) -> Response:
        client_id = merge_body_into_query(request).get("client_id")
        return Response(_page(request, client_id, key="users"))


class RestUsersView(APIView):
    """All users, by id."""

    @extend_schema(
        parameters=[UsersQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(UserSchema)},
    )
    def get(self, request: Request) -> Response:
        client_id = validated_query(UsersQuery, request).get("client_id")
        return Response(_page(request, client_id, key="results"))

    @extend_schema(request=NewUserInput, responses={201: schema_of(UserSchema)})
    @idempotent
    def post(self, request: Request) -> Response:
        return Response(serialize_user(_add(request)), status=201)


class RestUserView(APIView):
    """One user."""

    @extend_schema(responses={200: schema_of(UserSchema)})
    def get(self, request: Request, pk: int) -> Response:
        return Response(serialize_user(_users(request).get_or_not_found(pk=pk)))

    @extend_schema(
        request=UserChangesInput(partial=True),
        responses={200: schema_of(UserSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> Response:
        user = _users(request).get_or_not_found(pk=pk)
        return Response(serialize_user(_change(request, user, request.data)))

    @extend_schema(responses={204: None, **CONFLICT_RESPONSE})
    def delete(self, request: Request, pk: int) -> Response:
        delete_user(actor=actor_of(request), user=_users(request).get_or_not_found(pk=pk))
        return Response(status=204)


def _users(request: Request) -> TenantQuerySet[User]:
    users = User.objects.visible_to(actor_of(request))
    return users.select_related("client__subscription", "role")


def _named_user(request: Request, given: dict[str, Any]) -> User:
    return get_or_400(_users(request), get_id_or_400(given, noun="user"), "user_id")


def _page(request: Request, client_id: Any, *, key: str) -> dict[str, Any]:
    actor = actor_of(request)
    users = filter_by_client(User.objects.visible_to(actor), actor, client_id)
    return paginate(users, request=request, serialize=serialize_user, order=("id",), key=key)


def _add(request: Request) -> User:
    sent = validated(NewUserInput(data=request.data))
    client = acting_client(actor_of(request), sent.pop("client_id", None))
    sent["role"] = _role(client, sent["role"])
    return add_user(actor=actor_of(request), client=client, **sent)


def _change(request: Request, user: User, given: Any) -> User:
    sent = validated(UserChangesInput(data=given, partial=True))
    _check_stays(request, user, given.get("client_id"))
    if "role" in sent:
        sent["role"] = _role(user.client, sent["role"])
    return change_user(actor=actor_of(request), user=user, **sent)


def _role(client: Client | None, name_or_id: str | int) -> Role:
    if client is None:
        raise Invalid(fields={"role": ["Staff have no role: leave it out."]})
    return Role.unscoped.assignable_in(client).by_name_or_id(name_or_id)


def _check_stays(request: Request, user: User, client_id: Any) -> None:
    """Refuse to move a user: what they made belongs to the client they are in."""
    client = requested_client(actor_of(request), client_id)
    if client is not None and client.pk != user.client_id:
        raise Invalid(fields={"client_id": ["A user stays with one client: add a new user there."]})
