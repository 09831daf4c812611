"""The staff's pages of events: what happened at every client, to read only."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.paginator import InfinitePaginator

from timba.accounts.models import Client, User
from timba.events.models import OutboxEvent
from timba.web.admin.base import NounAdmin


class EventAdmin(NounAdmin):
    """Events are facts: nobody adds, changes or deletes them."""

    list_display = ("type", "key", "client", "sequence", "actor", "time", "published_at")
    list_filter = ("topic",)
    # For the words beside the box: `get_search_results` compares whole values, for there are many.
    search_fields = ("key", "type", "request_id")
    search_help_text = "The whole key, type or request id; or client:7 for one client's events."
    ordering = ("-id",)
    # Counting them all would take longer than reading a page.
    paginator = InfinitePaginator
    shown = (
        "type", "topic", "key", "client", "sequence", "epoch", "actor", "time", "published_at",
        "request_id", "event_id", "source", "said",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return all events, each with the names of whom it tells: it holds no more than ids."""
        clients = Client.unscoped.filter(pk=OuterRef("client_id")).values("name")
        actors = User.unscoped.filter(pk=OuterRef("actor_id")).values("username")
        return OutboxEvent.objects.order_by(*self.get_ordering(request)).annotate(
            client_name=Subquery(clients), actor_name=Subquery(actors)
        )

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split():
            client_id = word.removeprefix("client:")
            if client_id != word and client_id.isascii() and client_id.isdigit():
                queryset = queryset.filter(client_id=int(client_id))
            else:
                queryset = queryset.filter(Q(key=word) | Q(type=word) | Q(request_id=word))
        return queryset, False

    @admin.display(description="Client")
    def client(self, event: Any) -> str:
        return event.client_name or f"client {event.client_id}"

    @admin.display(description="By")
    def actor(self, event: Any) -> str:
        if event.actor_id is None:
            return "Timba"
        return event.actor_name or f"user {event.actor_id}, deleted"

    @admin.display(description="Value")
    def said(self, event: OutboxEvent) -> str:
        text = orjson.dumps(orjson.loads(event.value), option=orjson.OPT_INDENT_2).decode()
        return format_html("<pre>{}</pre>", text)
