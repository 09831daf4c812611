"""`loaddata` restores what `dumpdata` writes: every model, in JSON and in XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models

from tests.factories import create_tenant
from timba.accounts.tenancy import TenantModel
from timba.files.models import OcrJob

pytestmark = pytest.mark.django_db

MODELS = [model for model in apps.get_models() if model.__module__.startswith("timba.")]


def rows(model: type[models.Model]) -> list[dict[str, Any]]:
    return list(model._base_manager.order_by("pk").values())


@pytest.mark.parametrize("format_", ["json", "xml"])
def test_every_model_survives_a_dump_and_load(tmp_path: Path, format_: str) -> None:
    tenant = create_tenant(word="Bērzs", first_id=1_000_001)
    OcrJob.unscoped.create(file=tenant.file, client=tenant.client, run=1)
    before = {model: rows(model) for model in MODELS}
    nouns = [model for model in MODELS if issubclass(model, TenantModel)]
    assert [model.__name__ for model in nouns if not before[model]] == []
    dump = tmp_path / f"dump.{format_}"
    call_command(
        "dumpdata",
        "--all",
        *{model._meta.app_label for model in MODELS},
        format=format_,
        output=str(dump),
    )
    with connection.constraint_checks_disabled():
        for model in MODELS:
            model._base_manager.all()._raw_delete(connection.alias)
    call_command("loaddata", str(dump), verbosity=0)
    assert {model: rows(model) for model in MODELS} == before
