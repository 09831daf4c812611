"""The admin pages of events: the history of all clients, read-only."""

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
from timba.web.admin.base import ServiceModelAdmin


class EventAdmin(ServiceModelAdmin):
    """Events, which cannot be added, changed or deleted."""

    list_display = ("type", "key", "client", "sequence", "actor", "time", "published_at")
    list_filter = ("topic",)
    # Needed for Django to show the search box; `get_search_results` compares whole, indexed values.
    search_fields = ("key", "type", "request_id")
    search_help_text = "The whole key, type or request id; or client:7 for one client's events."
    ordering = ("-id",)
    # Counting all events takes longer than reading a page of them.
    paginator = InfinitePaginator
    readonly_fields = (
        "type", "topic", "key", "client", "sequence", "epoch", "actor", "time", "published_at",
        "request_id", "event_id", "source", "value_json",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return all events, annotated with the names of client and actor: events hold only ids."""
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
    def value_json(self, event: OutboxEvent) -> str:
        text = orjson.dumps(orjson.loads(event.value), option=orjson.OPT_INDENT_2).decode()
        return format_html("<pre>{}</pre>", text)
