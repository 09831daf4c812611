"""A sawmill whose temperature files really are received, stored and processed."""

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
    """Return a way to send a temperature file in: it waits to be processed."""

    def send(data: bytes | str, *, actor: User = owner, name: str = "readings.csv") -> File:
        return receive_readings(data, actor=actor, name=name)

    return send


@pytest.fixture
def settle(owner: User) -> Receive:
    """Return a way to send a temperature file in and have it processed."""

    def send(data: bytes | str, *, actor: User = owner, name: str = "readings.csv") -> File:
        return settle_readings(data, actor=actor, name=name)

    return send
