"""Writes of notes."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from django.db import transaction

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.deletion import DeletionHook, Links
from timba.consignments.models import Consignment, Log, lock_targets
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Invalid, NotFound
from timba.events.outbox import Event, publish
from timba.notes.events import note_event
from timba.notes.models import MAX_TITLE, Note

# An event contains the whole note; brokers reject messages above about a megabyte.
MAX_CONTENT_BYTES = 200_000
_BATCH: Final = 500


class NoteChanges(TypedDict, total=False):
    """The fields of a note to change."""

    title: str
    content: str
    consignment: Consignment | None


@retry_on_deadlock
def write_note(
    *,
    actor: User,
    client: Client,
    title: str,
    content: str = "",
    consignment: Consignment | None = None,
) -> Note:
    """Add a note; raise Invalid for an empty title or a text that is too long."""
    require(actor, Permission.WRITE_NOTES, client=client)
    note = Note(
        client=client, title=title, content=content, consignment=consignment, created_by=actor
    )
    _check(note)
    with write_transaction():
        lock_targets(consignment)
        note.save()
        publish(note_event("create", note, actor=actor))
    return note


@retry_on_deadlock
def change_note(*, actor: User, note: Note, **changes: Unpack[NoteChanges]) -> Note:
    """Change a note; raise Invalid for an empty title or a text that is too long."""
    require(actor, Permission.WRITE_NOTES, client=note.client)
    with write_transaction():
        lock_targets(changes.get("consignment"))
        note = Note.unscoped.select_for_update().get_or_not_found(pk=note.pk)
        changed = apply_changes(note, changes)
        _check(note)
        if changed:
            note.save()
            publish(note_event("update", note, actor=actor))
    return note


@retry_on_deadlock
def delete_note(*, actor: User, note: Note) -> None:
    """Delete a note; its last state stays in the history."""
    require(actor, Permission.WRITE_NOTES, client=note.client)
    with transaction.atomic():
        note = Note.unscoped.select_for_update().get_or_not_found(pk=note.pk)
        event = note_event("delete", note, actor=actor)
        note.delete()
        publish(event)


def unlink_notes(
    *, actor: User, consignment: Consignment, log: Log | None = None
) -> tuple[Links, list[Event]]:
    """Unlink the notes of a consignment that is being deleted; logs have no notes.

    A link is the id of a note.
    """
    if log is not None:
        return [], []
    notes = list(Note.unscoped.select_for_update().filter(consignment=consignment).order_by("pk"))
    return [note.pk for note in notes], _link_notes(notes, None, actor=actor)


def relink_notes(*, actor: User, consignment: Consignment, links: Links) -> list[Event]:
    """Link the notes that still belong to no consignment."""
    notes = Note.unscoped.filter(client_id=consignment.client_id, consignment=None)
    found = [
        note
        for start in range(0, len(links), _BATCH)
        for note in notes.filter(pk__in=links[start : start + _BATCH])
        .select_for_update()
        .order_by("pk")
    ]
    return _link_notes(found, consignment, actor=actor)


def _link_notes(notes: list[Note], consignment: Consignment | None, *, actor: User) -> list[Event]:
    for note in notes:
        note.consignment = consignment
        note.save(update_fields=["consignment", "updated_at"])
    return [note_event("update", note, actor=actor) for note in notes]


def _check(note: Note) -> None:
    if not note.title.strip():
        raise Invalid(fields={"title": ["A note needs a title."]})
    if len(note.title) > MAX_TITLE:
        raise Invalid(fields={"title": [f"A title has at most {MAX_TITLE} characters."]})
    if len(note.content.encode()) > MAX_CONTENT_BYTES:
        raise Invalid(
            fields={
                "content": ["This is more text than a note holds. Upload it as a file instead."]
            }
        )
    if note.consignment is not None and note.consignment.client_id != note.client_id:
        raise NotFound("There is no such consignment.")


DELETION_HOOK: Final = DeletionHook(app_label="notes", unlink=unlink_notes, relink=relink_notes)
