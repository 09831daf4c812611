"""The endpoints of temperatures: series of a city, all cities, a city's name.

GETs bypass Django REST framework after authentication: its overhead exceeds the cost of a cached
response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypedDict

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of, authenticate_request, user_of
from timba.api.http import (
    ACTING_CLIENT_HELP,
    PAGE_PARAMETERS,
    JSONResponse,
    acting_client,
    check_storable,
    next_url,
    parse_limit,
    validated,
)
from timba.api.openapi import example_request, page_schema, schema_of
from timba.api.problems import problem_for
from timba.errors import Invalid, NotFound
from timba.places.models import City
from timba.places.services import name_city
from timba.serialization import dumps
from timba.temperatures.schemas import (
    CityStatisticsSchema,
    SeriesSchema,
    serialize_city_statistics,
    serialize_series,
)
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange, parse_timestamp
from timba.temperatures.statistics.city_list import list_cities
from timba.temperatures.statistics.series import MAX_POINTS, Bucket, city_series

FROM: Final = (
    "Start of the period, inclusive (ISO 8601; without an offset UTC; a date is its midnight)."
)
TO: Final = "End of the period, exclusive; written as `from`."
PARAMETERS: Final = [
    OpenApiParameter("from", OpenApiTypes.STR, description=FROM),
    OpenApiParameter("to", OpenApiTypes.STR, description=TO),
    OpenApiParameter("client_id", OpenApiTypes.INT, description=ACTING_CLIENT_HELP),
]
SERIES_PARAMETERS: Final = [
    OpenApiParameter(
        "bucket",
        OpenApiTypes.STR,
        required=True,
        enum=list(Bucket),
        description="The length of the periods (in UTC) whose readings make a point.",
    ),
    *PARAMETERS,
]
LIST_PARAMETERS: Final = [*PARAMETERS, *PAGE_PARAMETERS]
NO_READING: Final = "There is no reading of this city."


@example_request({"name": "Riga"})
class CityNameSerializer(serializers.Serializer[City]):
    """The new name of a city."""

    name = serializers.CharField(allow_blank=True, help_text="The new name, 1 to 100 characters.")
    client_id = serializers.IntegerField(required=False, help_text=ACTING_CLIENT_HELP)


class CityNameSchema(TypedDict):
    """The name of a city."""

    city_id: Annotated[int, "Number of the city, as in the client's temperature files.", 7]
    name: Annotated[str, "Name of the city.", "Riga"]


class PlainGetView(APIView):
    """A view whose `get` receives Django's own request, of an authenticated user.

    It takes no query parameters but those of `parameters`.
    """

    parameters: Sequence[OpenApiParameter]
    get: Callable[..., HttpResponseBase]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in {"GET", "HEAD"}:
            return super().dispatch(request, *args, **kwargs)
        try:
            request.user = authenticate_request(request)
            if request.META.get("QUERY_STRING"):
                check_storable(request.GET)
                check_parameters(request.GET, [known.name for known in self.parameters])
            return self.get(request, *args, **kwargs)
        except Exception as error:
            response = problem_for(error, request)
            if response is None:
                raise
            return response


class CitySeriesView(PlainGetView):
    """The series of one city."""

    parameters = SERIES_PARAMETERS

    @extend_schema(
        summary="Get the temperatures of a city by hour or by day",
        description="Of all its readings, or of those in a period: a bound inside an hour or a day "
        f"divides it. At most {MAX_POINTS:,} points: more are a 400.",
        parameters=SERIES_PARAMETERS,
        responses={200: schema_of(SeriesSchema), 304: None},
    )
    def get(self, request: HttpRequest, city_id: int) -> HttpResponseBase:
        client = acting_client(user_of(request), request.GET.get("client_id"))
        series = city_series(
            client_id=client.pk,
            city_id=city_id,
            bucket=_bucket(request.GET),
            bounds=parse_bounds(request.GET),
        )
        if series is None:
            raise NotFound(NO_READING)
        return conditional_response(request, serialize_series(series))


class CitiesView(PlainGetView):
    """All cities that have readings, by number."""

    parameters = LIST_PARAMETERS

    @extend_schema(
        summary="List the temperature statistics of all cities",
        description="Of all their readings, or of those in a period; by city number.",
        parameters=LIST_PARAMETERS,
        responses={200: page_schema(CityStatisticsSchema, key="cities"), 304: None},
    )
    def get(self, request: HttpRequest) -> HttpResponseBase:
        client = acting_client(user_of(request), request.GET.get("client_id"))
        bounds = parse_bounds(request.GET)
        page = list_cities(
            client.pk,
            limit=parse_limit(request),
            cursor=request.GET.get("cursor"),
            bounds=bounds,
        )
        body = {
            "cities": [serialize_city_statistics(city) for city in page.rows],
            "next": next_url(request, page),
        }
        return conditional_response(request, body)


class CityNameView(APIView):
    """The name of a city."""

    @extend_schema(
        summary="Name a city",
        request=CityNameSerializer,
        responses={200: schema_of(CityNameSchema)},
    )
    def put(self, request: Request, city_id: int) -> JSONResponse:
        fields = validated(CityNameSerializer(data=request.data))
        city = name_city(
            actor=actor_of(request),
            client=acting_client(actor_of(request), fields.get("client_id")),
            city_id=city_id,
            name=fields["name"],
        )
        return JSONResponse(CityNameSchema(city_id=city.number, name=city.name))


def conditional_response(request: HttpRequest, body: Mapping[str, Any]) -> HttpResponseBase:
    """Return the body with an ETag, or 304 where `If-None-Match` has that ETag."""
    content = dumps(body)
    return respond(request, content, etag=etag_of(content))


def respond(request: HttpRequest, content: bytes, *, etag: str) -> HttpResponseBase:
    """Return JSON with its ETag, or 304 where `If-None-Match` has that ETag."""
    condition = request.META.get("HTTP_IF_NONE_MATCH")
    if condition is not None:
        etags = parse_etags(condition)
        if "*" in etags or etag in {known.removeprefix("W/") for known in etags}:
            return HttpResponseNotModified(headers={"ETag": etag})
    return HttpResponse(content, headers={"Content-Type": "application/json", "ETag": etag})


def etag_of(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def _bucket(params: Mapping[str, Any]) -> Bucket:
    try:
        return Bucket(params.get("bucket", ""))
    except ValueError:
        raise Invalid(fields={"bucket": ["Give hour or day."]}) from None


def check_parameters(params: Iterable[str], known: Iterable[str]) -> None:
    """Raise Invalid for a parameter of another name: misspelt bounds would mean all readings."""
    names = sorted(known)
    for name in params:
        if name not in names:
            raise Invalid(fields={name: [f"There is no such parameter, only {', '.join(names)}."]})


def parse_bounds(params: Mapping[str, Any]) -> TimeRange:
    if "from" not in params and "to" not in params:
        return ALL_TIME
    return TimeRange(
        start=_parse_bound(params, "from", default=ALL_TIME.start),
        stop=_parse_bound(params, "to", default=ALL_TIME.stop),
    )


def _parse_bound(params: Mapping[str, Any], field: str, *, default: int) -> int:
    text = params.get(field)
    if text is None:
        return default
    try:
        return parse_timestamp(str(text))
    except ValueError:
        raise Invalid(fields={field: ["Give a time such as 2025-06-01T12:00:00Z."]}) from None
