"""Frequent queries use an index, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from timba.accounts.tenancy import TenantModel

TENANT_MODELS = [model for model in apps.get_models() if issubclass(model, TenantModel)]


def indexed(model: type[models.Model]) -> list[list[str]]:
    """Return the columns of each index that the database has on a model's table."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    kinds = ("index", "unique", "primary_key")
    return [each["columns"] for each in found.values() if any(each[kind] for kind in kinds)]


@pytest.mark.django_db
@pytest.mark.parametrize("model", TENANT_MODELS)
def test_a_clients_rows_are_found_by_an_index(model: type[models.Model]) -> None:
    assert "client_id" in {columns[0] for columns in indexed(model) if columns}


@pytest.mark.django_db
@pytest.mark.parametrize("model", apps.get_models())
def test_rows_that_point_at_others_are_found_by_an_index(model: type[Any]) -> None:
    """Whatever deletes or joins those others looks for them."""
    pointing = {
        field.column
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
    }
    assert pointing <= {columns[0] for columns in indexed(model) if columns}
