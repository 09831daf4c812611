"""The content type and the permissions of the lease have the new name of their model."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("events", name)])


def names() -> tuple[set[str], set[str], set[str]]:
    types = ContentType.objects.filter(app_label="events", model__endswith="lease")
    permissions = Permission.objects.filter(content_type__in=types)
    return (
        {row.model for row in types},
        {row.codename for row in permissions},
        {row.name for row in permissions},
    )


@pytest.mark.django_db(transaction=True)
def test_a_renamed_model_has_no_second_content_type_or_permissions() -> None:
    verbs = ("add", "change", "delete", "view")
    (types,) = ContentType.objects.get_or_create(app_label="events", model="processlease")[:1]
    for verb in verbs:
        Permission.objects.get_or_create(
            content_type=types,
            codename=f"{verb}_processlease",
            defaults={"name": f"Can {verb} process lease"},
        )
    later = names()
    migrate("0002_standard_names")
    try:
        assert names() == (
            {"relaylease"},
            {f"{verb}_relaylease" for verb in verbs},
            {f"Can {verb} relay lease" for verb in verbs},
        )
    finally:
        migrate("0003_process_lease")
    assert names() == later
    assert later == (
        {"processlease"},
        {f"{verb}_processlease" for verb in verbs},
        {f"Can {verb} process lease" for verb in verbs},
    )
