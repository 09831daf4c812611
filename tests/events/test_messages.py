"""Every delivery of an event is the same message, as the contract specifies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import structlog
import time_machine

from tests.events.conftest import PublishEvents
from timba.events.messages import Message, build_message
from timba.events.models import OutboxEvent


@pytest.mark.django_db
@time_machine.travel(datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC), tick=False)
def test_message_has_exactly_the_headers_of_the_contract(publish_events: PublishEvents) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        publish_events(key="7", client_id=3, text="Ä")
    event = OutboxEvent.objects.get()
    assert build_message(event) == Message(
        topic="note_events",
        key="7",
        value='{"action":"create","note":{"id":"7","title":"Ä"}}'.encode(),
        headers={
            "ce_specversion": "1.0",
            "ce_id": str(event.event_id),
            "ce_source": "/clients/3/notes",
            "ce_type": "timba.note.created",
            "ce_subject": "7",
            "ce_time": "2026-03-04T05:06:07.089000Z",
            "ce_sequence": "1",
            "ce_epoch": "1",
            "ce_requestid": "req-1",
            "ce_clientid": "3",
            "content-type": "application/json",
        },
    )
