"""A sawmill for the walks of every door, made once for all tests of a module."""

from __future__ import annotations

import pytest

from tests.callers import Caller, caller
from tests.doors import Door
from tests.factories import Tenant


@pytest.fixture
def good(door: Door, method: str, tenant: Tenant) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    found = caller(door, method, user=tenant.user, tenant=tenant)
    found.program.defaults.setdefault("HTTP_ACCEPT", "application/json")
    return found
