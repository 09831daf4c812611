"""Checks that the events of each client are numbered without gaps, up to the last number given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db.models import Count, F, Max, Min, Window
from django.db.models.functions import Lag
from django.utils import timezone

from timba.accounts.models import Client
from timba.events.models import OutboxEvent, OutboxQuerySet, Stream
from timba.runtime.findings import Finding


def check_events() -> Iterator[Finding]:
    """Yield gaps in the numbers of events, and streams that would give a number again."""
    streams = dict(Stream.objects.values_list("client_id", "last_sequence"))
    for client_id in Client.unscoped.order_by("pk").values_list("pk", flat=True):
        events = _kept_events(client_id)
        numbers = events.aggregate(count=Count("pk"), first=Min("sequence"), last=Max("sequence"))
        last_given, last = streams.get(client_id, 0), numbers["last"] or 0
        if last > last_given:
            yield Finding(
                sentence=f"The next event of client {client_id} would get the number "
                f"{last_given + 1}, and its last one has {last}.",
                mend=partial(_raise_stream, client_id, last),
            )
        if last < last_given and not settings.TIMBA_EVENT_DAYS:
            yield _missing(client_id, last + 1, last_given)
        if not numbers["count"]:
            continue
        if numbers["first"] > 1 and not settings.TIMBA_EVENT_DAYS:
            yield _missing(client_id, 1, numbers["first"] - 1)
        if numbers["count"] < last - numbers["first"] + 1:
            for before, after in _gaps(events):
                yield _missing(client_id, before + 1, after - 1)


def _kept_events(client_id: int) -> OutboxQuerySet:
    """Return the client's events that no deletion of old ones has reached."""
    events = OutboxEvent.objects.filter(client_id=client_id)
    if settings.TIMBA_EVENT_DAYS:
        # Old events that are not published are kept, between those that were deleted.
        kept = timedelta(days=settings.TIMBA_EVENT_DAYS - 1)
        events = events.filter(time__gte=timezone.now() - kept)
    return events


def _gaps(events: OutboxQuerySet) -> Iterator[tuple[int, int]]:
    """Yield the numbers on both sides of each gap."""
    before = Window(Lag("sequence"), order_by="sequence")
    pairs = events.annotate(before=before).filter(sequence__gt=F("before") + 1)
    yield from pairs.order_by("sequence").values_list("before", "sequence").iterator()


def _missing(client_id: int, first: int, last: int) -> Finding:
    which = f"Event {first} is" if first == last else f"The events {first} to {last} are"
    return Finding(sentence=f"{which} missing from the history of client {client_id}.")


def _raise_stream(client_id: int, last: int) -> str:
    Stream.objects.get_or_create(client_id=client_id)
    Stream.objects.filter(client_id=client_id, last_sequence__lt=last).update(last_sequence=last)
    return f"The next one gets the number {last + 1}."
