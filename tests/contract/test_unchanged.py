"""A change that changes nothing tells nothing, and no row is younger for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from tests.callers import signed_in
from tests.contract.every import DOCUMENTED, named
from tests.doors import Door, fields_of
from tests.factories import StaffFactory, Tenant
from timba.accounts.models import User
from timba.serialization import dumps
from timba.temperatures.services import name_city_and_invalidate_cache

pytestmark = pytest.mark.django_db

CHANGES = [
    (door, method)
    for door, method in DOCUMENTED
    if method == "PATCH" or (method == "PUT" and "pk" in door.parameters)
]


@pytest.fixture
def someone_else() -> User:
    """Return who has written nothing of the tenant."""
    return StaffFactory()


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return every column of every row of Timba's, those of time too."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for config in apps.get_app_configs()
        for model in config.get_models()
        if model.__module__.startswith("timba.")
    }


@pytest.mark.parametrize(("door", "method"), named(CHANGES))
def test_what_stands_there_already_changes_nothing(
    door: Door, method: str, tenant: Tenant, someone_else: User
) -> None:
    program, address = signed_in(someone_else), door.path(tenant.ids)
    if door.route.startswith("timba/"):
        noun = door.route.removeprefix("timba/")
        address += f"?id={tenant.ids[f'{noun}_id']}"
    stands = program.get(address).json()
    stands["role"] = stands.get("role_id")
    sent = {name: stands[name] for name in fields_of(door.operation(method)) if name in stands}
    before = rows()
    for body in [sent] if method == "PUT" else [sent, {}]:
        answer = program.generic(method, address, dumps(body), content_type="application/json")
        assert answer.status_code == 200
        assert rows() == before


def test_the_name_that_a_city_has_changes_nothing(tenant: Tenant) -> None:
    before = rows()
    name_city_and_invalidate_cache(
        actor=tenant.user, client=tenant.client, city_id=tenant.city_id, name=tenant.word
    )
    assert rows() == before
