"""The facts that notes tell."""

from __future__ import annotations

from timba.accounts.models import User
from timba.consignments.events import story_about
from timba.events.outbox import Event
from timba.notes.models import Note
from timba.notes.schemas import note_shape


def note_event(action: str, note: Note, *, actor: User) -> Event:
    """Return the fact that `actor` did `action` (create, update, delete) to this note."""
    return Event(
        noun="note",
        action=action,
        key=str(note.pk),
        body=note_shape(note),
        client_id=note.client_id,
        actor_id=actor.pk,
        about=story_about(note.consignment_id),
    )
