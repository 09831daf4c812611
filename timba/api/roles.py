"""The endpoints of roles: `/timba/role`, `/timba/roles`, `/api/roles/` and `/api/roles/<id>/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import MAX_ROLE_NAME, Role
from timba.accounts.permissions import Permission
from timba.accounts.roles import add_role, change_role, delete_role
from timba.accounts.schemas import RoleSchema, serialize_role
from timba.api.authentication import actor_of
from timba.api.http import (
    ACTING_CLIENT_HELP,
    CLIENT_FILTER_HELP,
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
    merge_body_into_query,
)
from timba.api.openapi import CONFLICT_RESPONSE, example_request, page_schema, schema_of


@example_request({"name": "gatekeeper", "permissions": ["logs.write", "files.write"]})
class RoleSerializer(serializers.Serializer[Role]):
    """The fields of a role."""

    name = serializers.CharField(
        max_length=MAX_ROLE_NAME,
        trim_whitespace=False,
        help_text="Name of the role, unique within its client.",
    )
    permissions = serializers.ListField(
        child=serializers.ChoiceField(choices=Permission.values),
        required=False,
        help_text="What its users may do; you can give only permissions that you have.",
    )


class NewRoleSerializer(RoleSerializer):
    """A new role."""

    client_id = serializers.IntegerField(
        required=False, allow_null=True, help_text=ACTING_CLIENT_HELP
    )


class RolesQuery(QuerySerializer):
    """Filters of the list."""

    client_id = serializers.IntegerField(required=False, help_text=CLIENT_FILTER_HELP)


class RoleView(APIView):
    """Adds a role."""

    @extend_schema(
        summary="Add a role (/timba)",
        request=NewRoleSerializer,
        responses={201: created_schema("role", RoleSchema)},
    )
    @idempotent
    def put(self, request: Request) -> JSONResponse:
        return created_response("role", serialize_role(_add(request)))


class RolesView(APIView):
    """The roles that users can have, the built-in ones first."""

    @extend_schema(
        summary="List roles (/timba)",
        description="The built-in roles come first.",
        parameters=[
            OpenApiParameter("client_id", int, description=CLIENT_FILTER_HELP),
            *PAGE_PARAMETERS,
        ],
        responses={200: page_schema(RoleSchema, key="roles")},
    )
    def get(self, request: Request) -> JSONResponse:
        client_id = merge_body_into_query(request).get("client_id")
        return JSONResponse(_page(request, client_id, key="roles"))


class RestRolesView(APIView):
    """All roles, the built-in ones first."""

    @extend_schema(
        summary="List roles",
        description="The built-in roles come first.",
        parameters=[RolesQuery, *PAGE_PARAMETERS],
        responses={200: page_schema(RoleSchema)},
    )
    def get(self, request: Request) -> JSONResponse:
        client_id = validated_query(RolesQuery, request).get("client_id")
        return JSONResponse(_page(request, client_id, key="results"))

    @extend_schema(
        summary="Add a role", request=NewRoleSerializer, responses={201: schema_of(RoleSchema)}
    )
    @idempotent
    def post(self, request: Request) -> JSONResponse:
        return JSONResponse(serialize_role(_add(request)), status=201)


class RestRoleView(APIView):
    """One role. Built-in roles cannot be changed or deleted: 403, for staff too."""

    @extend_schema(summary="Get a role", responses={200: schema_of(RoleSchema)})
    def get(self, request: Request, pk: int) -> JSONResponse:
        return JSONResponse(serialize_role(_visible_role(request, pk)))

    @extend_schema(
        summary="Change a role",
        description="Built-in roles cannot be changed.",
        request=RoleSerializer(partial=True),
        responses={200: schema_of(RoleSchema), **CONFLICT_RESPONSE},
    )
    def patch(self, request: Request, pk: int) -> JSONResponse:
        role = _visible_role(request, pk)
        fields = validated(RoleSerializer(data=request.data, partial=True))
        return JSONResponse(
            serialize_role(change_role(actor=actor_of(request), role=role, **fields))
        )

    @extend_schema(
        summary="Delete a role",
        description="Built-in roles cannot be deleted, nor can a role in use.",
        responses={204: None, **CONFLICT_RESPONSE},
    )
    def delete(self, request: Request, pk: int) -> JSONResponse:
        delete_role(actor=actor_of(request), role=_visible_role(request, pk))
        return JSONResponse(status=204)


def _add(request: Request) -> Role:
    fields = validated(NewRoleSerializer(data=request.data))
    client = acting_client(actor_of(request), fields.pop("client_id", None))
    return add_role(actor=actor_of(request), client=client, **fields)


def _page(request: Request, client_id: Any, *, key: str) -> dict[str, Any]:
    client = requested_client(actor_of(request), client_id)
    roles = Role.objects.visible_to(actor_of(request))
    if client is not None:
        roles = Role.unscoped.assignable_in(client)
    return paginated(roles, request=request, serialize=serialize_role, order=("id",), key=key)


def _visible_role(request: Request, pk: int) -> Role:
    return Role.objects.get_visible(actor_of(request), pk, "client__subscription")
