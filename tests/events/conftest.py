"""Facts to publish, and brokers to publish them to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from tests.events.kafka import MockKafka
from timba.events.outbox import Event, publish

Tell = Callable[..., None]


def fact(
    *,
    key: str = "7",
    action: str = "create",
    client_id: int = 1,
    noun: str = "note",
    text: str = "",
    subject: str = "",
) -> Event:
    """Return a fact about a note, or about another noun."""
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
def tell() -> Tell:
    """Return what commits facts in one transaction: `tell(key="7")` or `tell(fact(…), fact(…))`."""

    def commit(*facts: Event, **about: object) -> None:
        with transaction.atomic():
            publish(*(facts or [fact(**about)]))  # type: ignore[arg-type]

    return commit


@pytest.fixture
def kafka(settings: Settings) -> Iterator[MockKafka]:
    """Return a running broker that Timba is configured for."""
    broker = MockKafka()
    settings.KAFKA_BOOTSTRAP_SERVERS = broker.servers
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    yield broker
    broker.close()
