"""The API's schema and its pages, open to all: they hold nothing that is anyone's."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.wire import dumps

_MEDIA_TYPE = "application/vnd.oai.openapi+json"
# The generator fails when two threads use it at once for the first time.
_one_at_a_time = Lock()


def openapi() -> dict[str, Any]:
    """Return the OpenAPI schema; it is made once."""
    with _one_at_a_time:
        return _generated()


class SchemaDoor(APIView):
    """`GET /api/schema/`."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - DRF's signature
        return HttpResponse(dumps(openapi()), content_type=_MEDIA_TYPE)


class DocsDoor(SpectacularSwaggerSplitView):
    """`GET /api/docs/`: Swagger UI, served from here."""

    url_name = "api:schema"
    template_name = "api/docs.html"
    title = "Timba’s API"


@cache
def _generated() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema
