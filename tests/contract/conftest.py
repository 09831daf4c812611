"""One sawmill with an owner, a signed-in API client, and processing of uploads on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.processing import process_file
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import next_waiting

ProcessPending = Callable[[], int]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    """Return the owner of the sawmill."""
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    """Return an API client that is signed in as the owner."""
    return api_client_of(owner)


@pytest.fixture
def process_pending() -> Iterator[ProcessPending]:
    """Return a function that processes every pending file and returns how many there were."""

    def process_all() -> int:
        count = 0
        while (file_id := next_waiting()) is not None:
            assert process_file(file_id)
            count += 1
        return count

    yield process_all
    close_sandbox()


@pytest.fixture
def consignment(owner: User) -> Consignment:
    """Return a consignment of the sawmill."""
    return Consignment.objects.create(client=owner.client, name="Load", type="hardwood")
