"""The endpoint of events: `GET /api/events/` lists a client's events, or waits for the next one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth import get_user
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.accounts.tokens import get_user_by_access_token
from timba.api.authentication import actor_of
from timba.api.http import (
    ACTING_CLIENT_HELP,
    LIMIT_PARAMETER,
    JSONResponse,
    QuerySerializer,
    acting_client,
    parse_limit,
    validated_query,
)
from timba.api.openapi import CONFLICT_RESPONSE, page_schema
from timba.api.problems import problem
from timba.errors import NotSignedIn
from timba.events.history import (
    MAX_WAIT_SECONDS,
    Restored,
    check_epoch,
    parse_position,
    wait_for_events,
)
from timba.events.messages import EventSchema, serialize_event


def _page_schema() -> dict[str, Any]:
    schema = page_schema(EventSchema, key="events")
    # There is always a next page: of events that have not happened yet.
    schema["properties"]["next"] = {
        "type": "string",
        "format": "uri",
        "description": "URL of the events after these; never null.",
        "examples": ["https://timba.example/api/events/?after=1.41"],
    }
    return schema


class EventsQuery(QuerySerializer):
    """Where to continue, and how long to wait."""

    after = serializers.CharField(
        default="0",
        help_text=(
            "Only events with a higher `sequence` than this. With an epoch in front, such as "
            "`1.41`, the response is 409 if Timba was restored from a backup since."
        ),
    )
    topic = serializers.CharField(
        required=False,
        help_text="Only events of this topic; the field `topic` of an event names all.",
    )
    wait = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=MAX_WAIT_SECONDS,
        help_text="How long to wait for an event at most, in seconds.",
    )
    client_id = serializers.IntegerField(required=False, help_text=ACTING_CLIENT_HELP)

    def validate_after(self, text: str) -> tuple[int | None, int]:
        """Return the epoch, or None for the current one, and the sequence number."""
        try:
            return parse_position(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class EventsView(APIView):
    """A client's events, oldest first."""

    @extend_schema(
        summary="List events",
        description=(
            "Oldest first. While there is none, `wait` delays the response. If Timba was restored "
            "from a backup since, `next` of an earlier response gets a 409: its header `Link` has "
            "the URL of the events after those that were not lost."
        ),
        parameters=[EventsQuery, LIMIT_PARAMETER],
        responses={200: _page_schema(), **CONFLICT_RESPONSE},
    )
    def get(self, request: Request) -> HttpResponse:
        limit = parse_limit(request)
        params = validated_query(EventsQuery, request)
        client = acting_client(actor_of(request), params.get("client_id"))
        epoch, after = params["after"]
        if epoch is not None:
            try:
                check_epoch(client_id=client.pk, epoch=epoch, after=after)
            except Restored as restored:
                following = _next_url(request, restored.epoch, restored.position)
                link = {"Link": f'<{following}>; rel="next"'}
                return problem(HTTPStatus.CONFLICT, str(restored), headers=link)
        page = wait_for_events(
            client_id=client.pk,
            after=after,
            topic=params.get("topic"),
            limit=limit,
            seconds=params["wait"],
        )
        if params["wait"]:
            _check_still_signed_in(request)
        return JSONResponse(
            {
                "events": [serialize_event(event) for event in page.events],
                "next": _next_url(request, page.epoch, page.position),
            }
        )


def _next_url(request: Request, epoch: int, position: int) -> str:
    query = request.query_params.copy()
    query["after"] = f"{epoch}.{position}"
    url: str = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return url


def _check_still_signed_in(request: Request) -> None:
    """Authenticate again: the sign-in may have ended while the response was held back."""
    if isinstance(request.auth, str):
        get_user_by_access_token(request.auth)
    elif not isinstance(get_user(request._request), User):
        raise NotSignedIn
