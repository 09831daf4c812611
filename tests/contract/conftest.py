"""One sawmill, its people, and a worker that processes what waits as the embedded one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.processing import process_file
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import next_waiting

Work = Callable[[], int]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    """Return the owner of the sawmill."""
    return make_user()


@pytest.fixture
def program(owner: User, as_user: AsUser) -> APIClient:
    """Return a program that is signed in as the owner."""
    return as_user(owner)


@pytest.fixture
def work() -> Iterator[Work]:
    """Return a way to process every file that waits; it says how many there were."""

    def process_what_waits() -> int:
        count = 0
        while (file_id := next_waiting()) is not None:
            assert process_file(file_id)
            count += 1
        return count

    yield process_what_waits
    close_sandbox()


@pytest.fixture
def load(owner: User) -> Consignment:
    """Return a consignment of the sawmill's."""
    return Consignment.objects.create(client=owner.client, name="Load", type="hardwood")
