"""The events that files publish."""

from __future__ import annotations

from typing import Final

from timba.accounts.models import User
from timba.consignments.events import subject_of
from timba.events.outbox import Event, topic_of
from timba.files.models import File
from timba.files.schemas import serialize_file

_NOUN: Final = "file"
TOPIC: Final = topic_of(_NOUN)


def file_event(action: str, file: File, *, actor: User | None) -> Event:
    """Build the event of a file; `action` is create, update, success, failure or delete."""
    return Event(
        noun=_NOUN,
        action=action,
        key=str(file.pk),
        body=serialize_file(file),
        client_id=file.owner_id,
        actor_id=None if actor is None else actor.pk,
        subject=subject_of(file.consignment_id),
    )
