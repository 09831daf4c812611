"""The facts that files tell."""

from __future__ import annotations

from timba.accounts.models import User
from timba.consignments.events import story_about
from timba.events.outbox import Event
from timba.files.models import File
from timba.files.schemas import file_shape


def file_event(action: str, file: File, *, actor: User | None) -> Event:
    """Return the fact `action`: create, update, success, failure or delete of this file."""
    return Event(
        noun="file",
        action=action,
        key=str(file.pk),
        body=file_shape(file),
        client_id=file.owner_id,
        actor_id=None if actor is None else actor.pk,
        about=story_about(file.consignment_id),
    )
