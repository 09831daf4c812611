"""An update with the current values writes nothing: no event, no new `updated_at`."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from tests.clients import api_client_of
from tests.endpoints import API, Endpoint, fields_of
from tests.factories import StaffFactory, Tenant
from timba.accounts.models import User
from timba.places.services import name_city
from timba.serialization import dumps

pytestmark = pytest.mark.django_db

UPDATES = [
    endpoint
    for endpoint in API
    if not endpoint.is_tus
    and (endpoint.method == "PATCH" or (endpoint.method == "PUT" and "note_id" in endpoint.path))
]


@pytest.fixture
def someone_else() -> User:
    """Return a user who has created or updated no row of the tenant."""
    return StaffFactory()


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return every column of every row of Timba's tables."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for config in apps.get_app_configs()
        for model in config.get_models()
        if model.__module__.startswith("timba.")
    }


@pytest.mark.parametrize("endpoint", UPDATES, ids=str)
def test_writing_the_current_values_changes_nothing(
    endpoint: Endpoint, tenant: Tenant, someone_else: User
) -> None:
    client, url = api_client_of(someone_else), endpoint.url(tenant.ids)
    if endpoint.path.startswith("timba/"):
        noun = endpoint.path.removeprefix("timba/")
        url += f"?id={tenant.ids[f'{noun}_id']}"
    current = client.get(url).json()
    current["role"] = current.get("role_id")
    values = {name: current[name] for name in fields_of(endpoint) if name in current}
    before = rows()
    for body in [values] if endpoint.method == "PUT" else [values, {}]:
        response = client.generic(
            endpoint.method, url, dumps(body), content_type="application/json"
        )
        assert response.status_code == 200
        assert rows() == before


def test_writing_a_citys_current_name_changes_nothing(tenant: Tenant) -> None:
    before = rows()
    name_city(actor=tenant.user, client=tenant.client, city_id=tenant.city_id, name=tenant.word)
    assert rows() == before
