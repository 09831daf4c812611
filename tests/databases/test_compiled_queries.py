"""Compiled queries return what the querysets return that they were compiled from."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from tests.factories import StaffFactory, Tenant, create_tenant
from timba.accounts.models import Client, Role, User
from timba.consignments.models import Consignment, Log
from timba.db.compiled_queries import CompiledQuery, CompiledRows
from timba.errors import NotFound
from timba.files.models import File, ImportProfile
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

MODELS = [Client, Role, User, Consignment, Log, Note, File, ImportProfile]

RELATED: dict[type[models.Model], list[str]] = {
    Client: ["subscription"],
    User: ["client", "client__subscription", "role"],
}


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(word="larch", first_id=1000)


def cached(row: Any, path: str) -> Any:
    """Return a related row that was selected with a row."""
    for name in path.split("__"):
        row = row and row._state.fields_cache[name]
    return row


def values_of(row: models.Model | None) -> dict[str, Any]:
    """Return the types and values of the columns of a row that were loaded."""
    loaded = row.__dict__ if row else {}
    return {name: (type(value), value) for name, value in loaded.items() if name != "_state"}


@pytest.mark.parametrize("model", MODELS)
def test_a_row_is_as_the_queryset_returns_it(model: Any, tenant: Tenant) -> None:
    related = RELATED.get(model, ["client", "client__subscription"])
    for user in (tenant.user, StaffFactory()):
        for expected in model.objects.visible_to(user).select_related(*related):
            found = model.objects.get_visible(user, expected.pk, *related)
            assert values_of(found) == values_of(expected)
            assert found._state.adding is False
            for path in related:
                assert values_of(cached(found, path)) == values_of(cached(expected, path))


def test_a_missing_related_row_is_none(tenant: Tenant) -> None:
    role = Role.unscoped.filter(client__isnull=True)[0]
    with_client = Role.objects.get_visible(tenant.user, role.pk, "client__subscription")
    assert with_client._state.fields_cache == {"client": None}


def test_each_run_takes_its_own_values(tenant: Tenant) -> None:
    other = create_tenant(word="alder", first_id=2000)
    files = CompiledRows[File](
        lambda pk, name: File.unscoped.filter(pk=pk).exclude(name=name),
        models.UUIDField(),
        models.CharField(),
    )
    for file in (tenant.file, other.file, tenant.file):
        assert files.get(file.pk, "other.txt") == [file]
        assert files.get(file.pk, file.name) == []
    assert files.get(uuid.uuid4(), "other.txt") == []


def test_values_are_those_of_the_queryset_which_is_built_once(tenant: Tenant) -> None:
    logs, log = Log.unscoped.order_by("pk"), Log.unscoped.get(pk=tenant.log.pk)
    builds = []

    def build(client_id: Any, least: Any, until: Any) -> models.QuerySet[Log, Any]:
        builds.append(client_id)
        found = logs.filter(client_id=client_id, volume__gte=least, created_at__lte=until)
        return found.values_list("barcode", "volume", "created_at")

    query = CompiledQuery(
        build, models.BigIntegerField(), Log._meta.get_field("volume"), models.DateTimeField()
    )
    for values, count in [
        ((tenant.client.pk, log.volume, log.created_at), 1),
        ((tenant.client.pk, log.volume + Decimal("0.001"), log.created_at), 0),
        ((tenant.client.pk, log.volume, log.created_at - timedelta(microseconds=1)), 0),
        ((tenant.client.pk + 1, log.volume, log.created_at), 0),
    ]:
        rows = query.fetch(*values)
        assert len(rows) == count
        assert len(builds) == 1
        assert [tuple(row) for row in rows] == list(build(*values))
        builds.pop()


@pytest.mark.parametrize("pk", [2**63, -(2**63) - 1, 10**30])
def test_an_id_of_more_than_64_bits_is_not_found_without_a_query(
    pk: int, tenant: Tenant, django_assert_num_queries: Any
) -> None:
    Note.objects.get_visible(tenant.user, tenant.note.pk)
    with django_assert_num_queries(0), pytest.raises(NotFound):
        Note.objects.get_visible(tenant.user, pk)
