"""The client of one tenant, for tests of every endpoint."""

from __future__ import annotations

import pytest

from tests.callers import Caller, caller
from tests.doors import Door
from tests.factories import Tenant


@pytest.fixture
def good(door: Door, method: str, tenant: Tenant) -> Caller:
    """Return a caller of the endpoint under test, signed in as the tenant's owner."""
    found = caller(door, method, user=tenant.user, tenant=tenant)
    found.program.defaults.setdefault("HTTP_ACCEPT", "application/json")
    return found
