"""Fixtures: the owner of a sawmill, whose temperature files are uploaded and processed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.temperatures.uploads import receive_readings, settle_readings
from timba.accounts.models import User
from timba.files.models import File

Receive = Callable[..., File]


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """Return the owner of a sawmill."""
    return make_user()


@pytest.fixture
def receive(owner: User) -> Receive:
    """Return a function that uploads a temperature file, which then waits to be processed."""

    def send(data: bytes | str, *, actor: User = owner, name: str = "readings.csv") -> File:
        return receive_readings(data, actor=actor, name=name)

    return send


@pytest.fixture
def settle(owner: User) -> Receive:
    """Return a function that uploads and processes a temperature file."""

    def send(data: bytes | str, *, actor: User = owner, name: str = "readings.csv") -> File:
        return settle_readings(data, actor=actor, name=name)

    return send
