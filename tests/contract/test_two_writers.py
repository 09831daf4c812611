"""Two people who change one row at once: what one of them leaves out, the other has said."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import AsUser
from tests.factories import Tenant
from tests.interleaving import changed_once_it_is_read
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.notes.models import Note

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(tenant: Tenant, as_user: AsUser) -> APIClient:
    return as_user(tenant.user)


@pytest.mark.parametrize(
    ("meanwhile", "sent"),
    [
        ({"content": "Ilze has it"}, {"title": "Key"}),
        ({"title": "Key"}, {"content": "Ilze has it"}),
        ({"consignment_id": None}, {"title": "Key"}),
        ({"title": "Key"}, {"consignment_id": None}),
    ],
)
def test_a_note_keeps_what_another_changes_meanwhile(
    tenant: Tenant, program: APIClient, meanwhile: dict[str, Any], sent: dict[str, Any]
) -> None:
    notes = Note.unscoped.filter(pk=tenant.note.pk)
    with changed_once_it_is_read("notes_note", lambda: notes.update(**meanwhile)):
        answer = program.patch(f"/api/notes/{tenant.note.pk}/", sent)
    assert answer.status_code == 200
    both = {**meanwhile, **sent}
    assert answer.json() | both == answer.json()
    assert notes.values(*both).get() == both
    assert OutboxEvent.objects.latest("sequence").type == "timba.note.updated"


@pytest.mark.parametrize(
    ("meanwhile", "sent"), [("consignment_id", "log_id"), ("log_id", "consignment_id")]
)
def test_a_file_keeps_the_place_that_another_gives_it_meanwhile(
    tenant: Tenant, program: APIClient, meanwhile: str, sent: str
) -> None:
    files = File.unscoped.filter(pk=tenant.file.pk)
    with changed_once_it_is_read("files_file", lambda: files.update(**{meanwhile: None})):
        answer = program.patch(f"/api/files/{tenant.file.pk}/", {sent: tenant.ids[sent]})
    assert answer.status_code == 200
    assert (answer.json()[meanwhile], answer.json()[sent]) == (None, tenant.ids[sent])
    assert files.values(meanwhile, sent).get() == {meanwhile: None, sent: tenant.ids[sent]}
