"""Fixtures: events to publish, and a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from tests.events.kafka import MockKafka
from timba.events.outbox import Event, publish

PublishEvents = Callable[..., None]


def make_event(
    *,
    key: str = "7",
    action: str = "create",
    client_id: int = 1,
    noun: str = "note",
    text: str = "",
    subject: str = "",
) -> Event:
    """Return an event of a note, or of another noun."""
    body = {"id": key, "title": text}
    return Event(
        noun=noun,
        action=action,
        key=key,
        body=body,
        client_id=client_id,
        actor_id=None,
        subject=subject,
    )


@pytest.fixture
def publish_events() -> PublishEvents:
    """Return a function that publishes events in one transaction.

    Call it as `publish_events(key="7")` or `publish_events(make_event(…), …)`.
    """

    def commit(*events: Event, **about: object) -> None:
        with transaction.atomic():
            publish(*(events or [make_event(**about)]))  # type: ignore[arg-type]

    return commit


@pytest.fixture
def kafka(settings: Settings) -> Iterator[MockKafka]:
    """Return a running broker that Timba is configured for."""
    broker = MockKafka()
    settings.KAFKA_BOOTSTRAP_SERVERS = broker.servers
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    yield broker
    broker.close()
