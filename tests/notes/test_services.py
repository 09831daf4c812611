"""Writes of notes."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.errors import Forbidden, Invalid, Lapsed, NotFound
from timba.events.models import OutboxEvent
from timba.notes.models import Note
from timba.notes.services import MAX_CONTENT_BYTES, change_note, delete_note, write_note

pytestmark = pytest.mark.django_db


def values() -> list[tuple[str, str]]:
    """Return (action, title) of every note event, in order."""
    told = [orjson.loads(event.value) for event in OutboxEvent.objects.filter(topic="note_events")]
    return [(value["action"], value["note"]["title"]) for value in told]


def test_each_change_of_a_note_publishes_its_new_state(make_user: MakeUser) -> None:
    operator = make_user("operator")
    note = write_note(actor=operator, client=operator.client, title="Seal")
    note = change_note(actor=operator, note=note, title="Seals", content="88412", consignment=None)
    delete_note(actor=operator, note=note)
    assert values() == [("create", "Seal"), ("update", "Seals"), ("delete", "Seals")]
    assert not Note.unscoped.exists()


def test_a_rejected_note_publishes_nothing(make_user: MakeUser) -> None:
    operator = make_user("operator")
    for title, content in (
        ("", ""),
        ("  ", ""),
        ("x" * 101, ""),
        ("x", "y" * MAX_CONTENT_BYTES + "y"),
    ):
        with pytest.raises(Invalid):
            write_note(actor=operator, client=operator.client, title=title, content=content)
    assert values() == []


def test_a_viewer_writes_no_note(make_user: MakeUser) -> None:
    viewer = make_user("viewer")
    with pytest.raises(
        Forbidden, match=r"^Your role does not allow this: it may not write notes\.$"
    ):
        write_note(actor=viewer, client=viewer.client, title="Seal")


def test_a_lapsed_client_writes_no_note(make_user: MakeUser) -> None:
    owner = make_user("owner")
    owner.client.subscription.current_period_end = timezone.now() - timedelta(seconds=1)
    with pytest.raises(Lapsed):
        write_note(actor=owner, client=owner.client, title="Seal")


def test_another_clients_consignment_does_not_exist_for_a_note(make_user: MakeUser) -> None:
    stranger = make_user("owner", client=ClientFactory())
    foreign: Consignment = open_consignment(
        actor=stranger, client=stranger.client, name="AB-1", type="hardwood"
    )
    owner = make_user("owner")
    with pytest.raises(NotFound, match=r"^There is no such consignment\.$"):
        write_note(actor=owner, client=owner.client, title="Seal", consignment=foreign)


def test_a_deleted_note_can_neither_be_changed_nor_deleted(make_user: MakeUser) -> None:
    owner = make_user("owner")
    note = write_note(actor=owner, client=owner.client, title="Seal")
    gone = Note.unscoped.get(pk=note.pk)
    delete_note(actor=owner, note=note)
    with pytest.raises(NotFound):
        change_note(actor=owner, note=gone, title="Seal", content="", consignment=None)
    with pytest.raises(NotFound):
        delete_note(actor=owner, note=gone)
