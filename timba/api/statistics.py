"""The statistics of one city, the endpoint that is asked most: a cached answer costs one query.

After authentication a GET bypasses Django REST framework. It reads the client's data version and
takes the bytes that were rendered for that version, if this process has them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from timba.accounts.models import User
from timba.api.authentication import actor_of, user_of
from timba.api.http import ACTING_CLIENT_HELP, acting_client
from timba.api.openapi import schema_of
from timba.api.temperatures import (
    FROM,
    NO_READING,
    PARAMETERS,
    TO,
    PlainGetView,
    check_parameters,
    etag_of,
    parse_bounds,
    respond,
)
from timba.errors import Invalid, NotFound
from timba.places.city_numbers import CITY_NUMBERS
from timba.serialization import dumps
from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.schemas import CityStatisticsSchema, serialize_city_statistics
from timba.temperatures.statistics.bounds import TimeRange
from timba.temperatures.statistics.cities import city_statistics, get_data_version

MAX_CACHE_BYTES: Final = 8 * 1024 * 1024
# Of an answer's key and of its objects in memory.
OVERHEAD_BYTES: Final = 1024
IN_BODY: Final = "Give the parameters of a POST in its body, not in its address."
BOUNDS_EXAMPLE: Final = {"from": "2025-06-01", "to": "2025-07-01"}
STATISTICS_BODY: Final = inline_serializer(
    "CityStatistics",
    {
        "from": serializers.CharField(required=False, allow_null=True, help_text=FROM),
        "to": serializers.CharField(required=False, allow_null=True, help_text=TO),
        "client_id": serializers.IntegerField(required=False, help_text=ACTING_CLIENT_HELP),
    },
)


class Answer(NamedTuple):
    """The body of a response and its ETag."""

    content: bytes
    etag: str


class CityStatisticsView(PlainGetView):
    """The statistics of one city."""

    parameters = PARAMETERS

    @extend_schema(
        summary="Get the temperature statistics of a city",
        description="Of all its readings, or of those in a period.",
        parameters=PARAMETERS,
        responses={200: schema_of(CityStatisticsSchema), 304: None},
    )
    def get(self, request: HttpRequest, city_id: int) -> HttpResponseBase:
        answer = _answer_to(user_of(request), city_id, request.GET)
        return respond(request, answer.content, etag=answer.etag)

    @extend_schema(
        summary="Get the temperature statistics of a city, with parameters in the body",
        request=STATISTICS_BODY,
        examples=[OpenApiExample("Example", BOUNDS_EXAMPLE, request_only=True)],
        responses={200: schema_of(CityStatisticsSchema)},
    )
    def post(self, request: Request, city_id: int) -> HttpResponse:
        if not isinstance(request.data, Mapping):
            raise Invalid("The body is not a JSON object.")
        if request.query_params:
            raise Invalid(IN_BODY)
        check_parameters(request.data, [known.name for known in PARAMETERS])
        answer = _answer_to(actor_of(request), city_id, request.data)
        return HttpResponse(answer.content, content_type="application/json")


def _answer_to(user: User, city_id: int, params: Mapping[str, Any]) -> Answer:
    client = acting_client(user, params.get("client_id"))
    bounds = parse_bounds(params)
    version = get_data_version(client.pk) if city_id in CITY_NUMBERS else None
    answer = _answer_at(client.pk, city_id, bounds, version) if version else None
    if answer is None:
        raise NotFound(NO_READING)
    return answer


def _bytes_of(answer: Answer | None) -> int:
    return OVERHEAD_BYTES + (len(answer.content) if answer else 0)


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=_bytes_of)
def _answer_at(
    client_id: int,
    city_id: int,
    bounds: TimeRange,
    version: uuid.UUID,  # noqa: ARG001 - part of the cache key
) -> Answer | None:
    """Return the answer of the data at this version or a later one: it is read after the version.

    An answer of a later one is correct too, for the callers that have read this version.
    """
    statistics = city_statistics(client_id=client_id, city_id=city_id, bounds=bounds)
    if statistics is None:
        return None
    content = dumps(serialize_city_statistics(statistics))
    return Answer(content, etag_of(content))
