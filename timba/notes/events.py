"""The events of notes."""

from __future__ import annotations

from timba.accounts.models import User
from timba.consignments.events import subject_of
from timba.events.outbox import Event
from timba.notes.models import Note
from timba.notes.schemas import serialize_note


def note_event(action: str, note: Note, *, actor: User) -> Event:
    """Return the event that `actor` did `action` (create, update or delete) to a note."""
    return Event(
        noun="note",
        action=action,
        key=str(note.pk),
        body=serialize_note(note),
        client_id=note.client_id,
        actor_id=actor.pk,
        subject=subject_of(note.consignment_id),
    )
