"""The roles' door: `/timba/roles`."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import Role
from timba.accounts.shapes import RoleShape, role_shape
from timba.api.authentication import actor_of
from timba.api.envelopes import list_parameters
from timba.api.pages import PAGE_PARAMETERS, page
from timba.api.schema import listing
from timba.api.scope import client_named


class RolesDoor(APIView):
    """The roles that users may have: the built-in ones, which were here first, then own ones."""

    @extend_schema(
        parameters=[
            OpenApiParameter("client_id", int, description="for staff"),
            *PAGE_PARAMETERS,
        ],
        responses={200: listing(RoleShape, key="roles")},
    )
    def get(self, request: Request) -> Response:
        given = list_parameters(request)
        client = client_named(actor_of(request), given.get("client_id"))
        roles = Role.objects.visible_to(actor_of(request))
        if client is not None:
            roles = Role.unscoped.assignable_in(client)
        return Response(page(roles, request=request, look=role_shape, order=("id",), key="roles"))
