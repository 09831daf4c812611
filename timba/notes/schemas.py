"""How a note looks to every caller: the API's answer and the event's body are the same."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from timba.notes.models import Note


class NoteSchema(TypedDict):
    id: int
    title: str
    content: str
    consignment_id: int | None
    created_at: datetime
    updated_at: datetime


def serialize_note(note: Note) -> NoteSchema:
    """Return the note as callers see it."""
    return NoteSchema(
        id=note.pk,
        title=note.title,
        content=note.content,
        consignment_id=note.consignment_id,
        created_at=note.created_at,
        updated_at=note.updated_at,
    )
