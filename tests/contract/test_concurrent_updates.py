"""Two concurrent updates of one row: a field that one request omits keeps the other's value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.factories import Tenant
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.notes.models import Note

pytestmark = pytest.mark.django_db


@contextmanager
def change_after_first_read(table: str, change: Callable[[], object]) -> Iterator[None]:
    """Call `change` right after the first statement that reads the table.

    The block must contain such a statement.
    """
    reads: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if not reads and f'FROM "{table}"' in sql.replace("`", '"'):
            reads.append(sql)
            change()
        return result

    with connection.execute_wrapper(watch):
        yield
    assert reads


@pytest.fixture
def api_client(tenant: Tenant) -> APIClient:
    return api_client_of(tenant.user)


@pytest.mark.parametrize(
    ("meanwhile", "changes"),
    [
        ({"content": "Ilze has it"}, {"title": "Key"}),
        ({"title": "Key"}, {"content": "Ilze has it"}),
        ({"consignment_id": None}, {"title": "Key"}),
        ({"title": "Key"}, {"consignment_id": None}),
    ],
)
def test_a_note_keeps_the_fields_of_a_concurrent_update(
    tenant: Tenant, api_client: APIClient, meanwhile: dict[str, Any], changes: dict[str, Any]
) -> None:
    notes = Note.unscoped.filter(pk=tenant.note.pk)
    with change_after_first_read("notes_note", lambda: notes.update(**meanwhile)):
        response = api_client.patch(f"/api/notes/{tenant.note.pk}/", changes)
    assert response.status_code == 200
    both = {**meanwhile, **changes}
    assert response.json() | both == response.json()
    assert notes.values(*both).get() == both
    assert OutboxEvent.objects.latest("sequence").type == "timba.note.updated"


@pytest.mark.parametrize(
    ("meanwhile", "changes"), [("consignment_id", "log_id"), ("log_id", "consignment_id")]
)
def test_a_file_keeps_the_consignment_or_log_of_a_concurrent_update(
    tenant: Tenant, api_client: APIClient, meanwhile: str, changes: str
) -> None:
    files = File.unscoped.filter(pk=tenant.file.pk)
    with change_after_first_read("files_file", lambda: files.update(**{meanwhile: None})):
        response = api_client.patch(f"/api/files/{tenant.file.pk}/", {changes: tenant.ids[changes]})
    assert response.status_code == 200
    assert (response.json()[meanwhile], response.json()[changes]) == (None, tenant.ids[changes])
    assert files.values(meanwhile, changes).get() == {meanwhile: None, changes: tenant.ids[changes]}
