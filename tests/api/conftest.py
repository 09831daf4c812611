"""A sawmill for the walks of every door, made once for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.callers import Caller, caller
from tests.doors import Door
from tests.worlds import World, kept_world, own_copy


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with kept_world(django_db_blocker, word="Kalnamuiza", first_id=5_000_001) as world:
        yield world


@pytest.fixture
def world(kept: World, db: None) -> World:
    """Return a sawmill with a row of every noun."""
    return own_copy(kept)


@pytest.fixture
def good(door: Door, method: str, world: World) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    found = caller(door, method, user=world.user, world=world)
    found.program.defaults.setdefault("HTTP_ACCEPT", "application/json")
    return found
