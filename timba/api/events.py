"""The endpoint of events: `GET /api/events/` lists a client's events, or waits for the next one."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.accounts.tokens import get_user_by_access_token
from timba.api.authentication import actor_of
from timba.api.http import (
    ACTING_CLIENT_HELP,
    LIMIT_PARAMETER,
    QuerySerializer,
    acting_client,
    parse_limit,
    validated_query,
)
from timba.api.openapi import page_schema
from timba.errors import NotSignedIn
from timba.events.history import MAX_WAIT_SECONDS, wait_for_events
from timba.events.messages import EventSchema, serialize_event

_HIGHEST: Final = 2**63 - 1


def _page_schema() -> dict[str, Any]:
    schema = page_schema(EventSchema, key="events")
    # There is always a next page: of events that have not happened yet.
    schema["properties"]["next"] = {
        "type": "string",
        "format": "uri",
        "description": "URL of the events after these; never null.",
        "examples": ["https://timba.example/api/events/?after=41"],
    }
    return schema


class EventsQuery(QuerySerializer):
    """Where to continue, and how long to wait."""

    after = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=_HIGHEST,
        help_text="Only events with a higher `sequence` than this.",
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


class EventsView(APIView):
    """A client's events, oldest first."""

    @extend_schema(
        summary="List events",
        description="Oldest first. While there is none, `wait` delays the response.",
        parameters=[EventsQuery, LIMIT_PARAMETER],
        responses={200: _page_schema()},
    )
    def get(self, request: Request) -> Response:
        limit = parse_limit(request)
        params = validated_query(EventsQuery, request)
        client = acting_client(actor_of(request), params.get("client_id"))
        page = wait_for_events(
            client_id=client.pk,
            after=params["after"],
            topic=params.get("topic"),
            limit=limit,
            seconds=params["wait"],
        )
        if params["wait"]:
            _check_still_signed_in(request)
        return Response(
            {
                "events": [serialize_event(event) for event in page.events],
                "next": _next_url(request, page.position),
            }
        )


def _next_url(request: Request, position: int) -> str:
    query = request.query_params.copy()
    query["after"] = str(position)
    url: str = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return url


def _check_still_signed_in(request: Request) -> None:
    """Authenticate again: the sign-in may have ended while the response was held back."""
    if isinstance(request.auth, str):
        get_user_by_access_token(request.auth)
    elif not isinstance(get_user(request._request), User):
        raise NotSignedIn
