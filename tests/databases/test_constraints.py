"""Every named constraint is violated once, and each database reports its name.

The constraints are read from the models, so a new one is covered or reported as missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import CheckConstraint, UniqueConstraint
from django.utils import timezone

from tests.factories import Tenant, UserFactory, create_tenant
from timba.accounts.models import Role, Subscription, User
from timba.api.models import IdempotentRequest
from timba.consignments.models import Consignment, Log
from timba.db.errors import get_violated_constraint, translate_integrity_errors
from timba.errors import Conflict
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, File, FileText, ImportProfile
from timba.files.resumable.models import ResumableUpload
from timba.notes.models import Note
from timba.places.models import City
from timba.temperatures.models import CityTotals, DataVersion

Maker = Callable[[Tenant, str], models.Model]


def _file(tenant: Tenant, word: str) -> File:
    return File.unscoped.create(
        client=tenant.client, name=word, storage_key=word, live_digest=word, status="PENDING"
    )


def _totals(tenant: Tenant, word: str) -> CityTotals:
    return CityTotals.unscoped.create(
        client=tenant.client,
        file=_file(tenant, word),
        run=1,
        city_id=7,
        count=1,
        sum_hundredths=1,
        min_hundredths=1,
        max_hundredths=1,
        first_at=timezone.now(),
        last_at=timezone.now(),
    )


def _data_version(tenant: Tenant, word: str) -> DataVersion:
    client = UserFactory(username=f"{word}-{uuid.uuid4()}").client
    return DataVersion.unscoped.create(client=client)


def _event(tenant: Tenant, word: str) -> OutboxEvent:
    return OutboxEvent.objects.create(
        client_id=tenant.client.pk,
        epoch=1,
        sequence=len(word) + 100,
        time=timezone.now(),
        value=word,
    )


# Makes a row that is possible; rows of different words have nothing unique in common.
MAKERS: Mapping[type[models.Model], Maker] = {
    City: lambda tenant, word: City.unscoped.create(
        client=tenant.client, number=len(word), name=word
    ),
    CityTotals: _totals,
    Consignment: lambda tenant, word: Consignment.unscoped.create(
        client=tenant.client, name=word, type="hardwood"
    ),
    DataVersion: _data_version,
    Derivative: lambda tenant, word: Derivative.objects.create(
        file=tenant.file, run=len(word) + 100, role="rejects", storage_key=word
    ),
    File: _file,
    FileText: lambda tenant, word: FileText.objects.create(
        file=tenant.file, run=len(word) + 100, text=word
    ),
    ImportProfile: lambda tenant, word: ImportProfile.unscoped.create(
        client=tenant.client, kind="tally", header=word, header_digest=word, read_as={}
    ),
    IdempotentRequest: lambda tenant, word: IdempotentRequest.objects.create(
        user=tenant.user, key=word, expires_at=timezone.now()
    ),
    Log: lambda tenant, word: Log.unscoped.create(
        client=tenant.client,
        consignment=tenant.consignment,
        barcode=word,
        barcode_key=word,
        length=1,
        breadth=1,
        height=1,
        volume=1,
    ),
    Note: lambda tenant, word: Note.unscoped.create(client=tenant.client, title=word),
    OutboxEvent: _event,
    ResumableUpload: lambda tenant, word: ResumableUpload.unscoped.create(
        client=tenant.client,
        name=word,
        length=5,
        folder_id=uuid.uuid4(),
        expires_at=timezone.now(),
    ),
    Role: lambda tenant, word: Role.unscoped.create(client=tenant.client, name=word),
    Subscription: lambda tenant, _: tenant.client.subscription,
    User: lambda tenant, word: UserFactory(client=tenant.client, username=word),
}
NOW = datetime(2026, 11, 30, tzinfo=UTC)
# What makes a possible row an impossible one.
IMPOSSIBLE: Mapping[str, list[dict[str, Any]]] = {
    "consignment_type_is_known": [{"type": "Hardwood"}, {"type": ""}],
    "file_has_client_once_accepted": [{"client": None}],
    "file_waits_in_a_queue": [{"status": "PENDING", "queue": ""}],
    "log_measures_are_positive": [{"length": 0}, {"breadth": "-0.001"}, {"height": 0}],
    "only_tallies_are_dry_runs": [{"kind": "text", "dry_run": True}],
    "only_deleted_files_are_erased": [{"deleted_by": 5_001_001}, {"erasing_since": NOW}],
    "only_dry_runs_are_confirmed": [{"kind": "tally", "is_confirmed": True}],
    "only_waiting_files_count_rows": [{"status": "SUCCESS", "rows_read": 0}],
    "waiting_file_has_a_run_while_read_again": [
        {"kind": "temperatures", "run": 1},
        {"kind": "temperatures", "next_read_as": {}},
        {"kind": "text", "run": 1, "next_read_as": {}},
        {"kind": "temperatures", "status": "SUCCESS", "run": 1, "next_read_as": {}},
    ],
    "resumable_upload_is_not_empty": [{"length": 0}, {"length": -1}],
    "note_title_is_not_empty": [{"title": ""}],
    "subscription_quota_is_not_negative": [{"quota_bytes": -1}],
    "subscription_used_bytes_are_not_negative": [{"used_bytes": -1}],
    "user_is_staff_or_has_client_and_role": [
        {"client": None},
        {"role": None},
        {"is_staff": True},
    ],
}


def named(kind: type[Any]) -> list[Any]:
    """Return every model with each of its constraints of a kind."""
    return [
        pytest.param(model, constraint, id=constraint.name)
        for model in apps.get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, kind) and model.__module__.startswith("timba.")
    ]


@pytest.fixture
def tenant(db: None) -> Tenant:
    return create_tenant(word="Kalnamuiza", first_id=5_000_001)


def refused(row: models.Model, values: Mapping[str, Any]) -> IntegrityError:
    """Return how the database refuses these values."""
    with pytest.raises(IntegrityError) as failure, transaction.atomic():
        type(row)._base_manager.filter(pk=row.pk).update(**values)
    return failure.value


@pytest.mark.parametrize(("model", "constraint"), named(UniqueConstraint))
def test_unique_constraints_are_reported_by_name(
    tenant: Tenant, model: type[models.Model], constraint: UniqueConstraint
) -> None:
    first, second = (MAKERS[model](tenant, word) for word in ("oak", "larch"))
    taken = {name: getattr(first, name) for name in constraint.fields}
    failure = refused(second, taken)
    assert get_violated_constraint(failure) == constraint.name


@pytest.mark.parametrize(("model", "name"), [(Role, "client"), (File, "live_digest")])
def test_nulls_are_distinct(tenant: Tenant, model: type[models.Model], name: str) -> None:
    """What lets a plain constraint stand for a conditional one, which MariaDB does not have."""
    first, second = (MAKERS[model](tenant, word) for word in ("oak", "larch"))
    [constraint] = [one for one in model._meta.constraints if name in getattr(one, "fields", ())]
    same = {field: getattr(first, field) for field in constraint.fields}
    rows = model._base_manager.filter(pk__in=[first.pk, second.pk])
    assert rows.update(**{**same, name: None}) == 2


@pytest.mark.parametrize(("model", "constraint"), named(CheckConstraint))
def test_check_constraints_are_reported_by_name(
    tenant: Tenant, model: type[models.Model], constraint: CheckConstraint
) -> None:
    row = MAKERS[model](tenant, "oak")
    for values in IMPOSSIBLE[constraint.name]:
        assert get_violated_constraint(refused(row, values)) == constraint.name, values


def test_a_violation_is_translated_whatever_the_text(tenant: Tenant) -> None:
    """The text stands in the server's own words, and must not be taken for the name."""
    text = "x' for key 'role_name_is_unique"
    MAKERS[User](tenant, text)
    expected = {
        "role_name_is_unique": Conflict("Wrong."),
        "username_is_unique": Conflict("Right."),
    }
    with (
        pytest.raises(Conflict, match=r"^Right\.$"),
        translate_integrity_errors(expected),
        transaction.atomic(),
    ):
        MAKERS[User](tenant, text)
