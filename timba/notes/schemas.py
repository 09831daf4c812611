"""How notes look to callers, in responses and events alike.

OpenAPI describes them by this type: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from timba.accounts.schemas import CREATED, UPDATED
from timba.notes.models import Note


class NoteSchema(TypedDict):
    """A note, of a consignment or of its own."""

    id: Annotated[int, "Id of the note.", 7]
    title: Annotated[str, "Title, 1 to 100 characters.", "Bark"]
    content: Annotated[str, "Text of the note; may be empty.", "Two logs have lost their bark."]
    consignment_id: Annotated[int | None, "Id of the consignment that it is about.", 12]
    created_at: Annotated[datetime, "When it was written (UTC, ISO 8601).", CREATED]
    updated_at: Annotated[datetime, "When it was last changed (UTC, ISO 8601).", UPDATED]


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
