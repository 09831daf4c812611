"""A sawmill for the walks of every door, made once for all tests of a module."""

from __future__ import annotations

import pytest

from tests.callers import Caller, caller
from tests.doors import Door
from tests.worlds import World


@pytest.fixture
def good(door: Door, method: str, world: World) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    found = caller(door, method, user=world.user, world=world)
    found.program.defaults.setdefault("HTTP_ACCEPT", "application/json")
    return found
