"""Old events are deleted if that is configured; unpublished ones stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.events.conftest import PublishEvents, make_event
from timba.events import history
from timba.events.history import delete_old_events
from timba.events.models import OutboxEvent
from timba.events.publishers import MemoryPublisher
from timba.events.relay import Relay


def age(*keys: str, days: int) -> None:
    OutboxEvent.objects.filter(key__in=keys).update(time=timezone.now() - timedelta(days=days))


def left() -> list[str]:
    return list(OutboxEvent.objects.order_by("id").values_list("key", flat=True))


@pytest.mark.django_db
def test_events_older_than_the_limit_are_deleted(publish_events: PublishEvents) -> None:
    publish_events(*[make_event(key=key) for key in "abcd"])
    age("a", "b", days=31)
    age("c", days=29)
    assert delete_old_events(days=30, published_only=False) == 2
    assert left() == ["c", "d"]
    assert delete_old_events(days=30, published_only=False) == 0


@pytest.mark.django_db
def test_unpublished_events_stay_at_any_age(publish_events: PublishEvents) -> None:
    publish_events(*[make_event(key=key) for key in "abc"])
    age("a", "b", "c", days=31)
    OutboxEvent.objects.filter(key__in=["a", "c"]).update(published_at=timezone.now())
    assert delete_old_events(days=30, published_only=True) == 2
    assert left() == ["b"]


@pytest.mark.django_db
def test_deletion_runs_in_batches_and_continues_past_kept_events(
    publish_events: PublishEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_BATCH_SIZE", 2)
    publish_events(*[make_event(key=key) for key in "abcdefg"])
    age(*"abcdef", days=31)
    OutboxEvent.objects.exclude(key__in=["a", "b"]).update(published_at=timezone.now())
    assert delete_old_events(days=30, published_only=True) == 4
    assert left() == ["a", "b", "g"]


@pytest.mark.django_db
def test_relay_deletes_old_events_hourly_if_a_limit_is_set(
    publish_events: PublishEvents, settings: Settings
) -> None:
    relay = Relay(open_publisher=MemoryPublisher)
    publish_events(key="a")
    relay.run_once()
    age("a", days=400)
    relay.run_once()
    assert left() == ["a"]
    settings.TIMBA_EVENT_DAYS = 30
    relay.run_once()
    assert left() == []
    publish_events(key="b")
    relay.run_once()
    age("b", days=400)
    relay.run_once()
    assert left() == ["b"]
