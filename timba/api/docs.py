"""The OpenAPI document and its pages, which are public, and the index of the API."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.http import JSONResponse
from timba.serialization import dumps

_INDEX: Final = {
    "token": "/api/token/",
    "upload": "/api/upload/",
    "task-status": "/api/task-status/",
    "files": "/api/files/",
    "import-profiles": "/api/import-profiles/",
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

_INDEX_SCHEMA: Final = {
    "type": "object",
    "description": "URLs by name.",
    "additionalProperties": {"type": "string", "format": "uri"},
    "examples": [{name: f"https://timba.example{path}" for name, path in _INDEX.items()}],
}
_MEDIA_TYPE: Final = "application/vnd.oai.openapi+json"
# The generator fails when two threads use it at once for the first time.
_generator_lock = Lock()


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document; it is generated once."""
    with _generator_lock:
        return _generate()


class SchemaView(APIView):
    """`GET /api/schema/`."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - DRF's signature
        return HttpResponse(dumps(openapi_document()), content_type=_MEDIA_TYPE)


class DocsView(SpectacularSwaggerSplitView):
    """`GET /api/docs/`: Swagger UI, with assets of our own."""

    url_name = "api:schema"
    template_name = "api/docs.html"
    title = "Timba’s API"


class IndexView(APIView):
    """`GET /api/` for programs."""

    @extend_schema(
        summary="List the entry points of the API",
        responses={200: _INDEX_SCHEMA},
    )
    def get(self, request: Request) -> JSONResponse:
        return JSONResponse({name: request.build_absolute_uri(url) for name, url in _INDEX.items()})


@cache
def _generate() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema
