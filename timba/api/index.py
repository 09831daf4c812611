"""The index of the API: every collection's address, for a program that looks around."""

from __future__ import annotations

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

_PLACES: Final = {
    "token": "/api/token/",
    "upload": "/api/upload/",
    "task-status": "/api/task-status/",
    "files": "/api/files/",
    "temperature-readings": "/temperature-readings/",
    "notes": "/api/notes/",
    "events": "/api/events/",
    "clients": "/api/clients/",
    "users": "/api/users/",
    "roles": "/api/roles/",
    "consignments": "/api/consignments/",
    "logs": "/timba/logs",
    "schema": "/api/schema/",
    "docs": "/api/docs/",
}


class IndexDoor(APIView):
    """`GET /api/` for programs."""

    @extend_schema(responses={200: {"type": "object", "additionalProperties": {"type": "string"}}})
    def get(self, request: Request) -> Response:
        return Response({name: request.build_absolute_uri(url) for name, url in _PLACES.items()})
