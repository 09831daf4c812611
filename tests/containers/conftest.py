"""The containers of each profile, started once for all tests of that profile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack
from tests.journeys.timba_process import ApiClient


@pytest.fixture(scope="session", params=["small", "mariadb", "full"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return the running containers of a profile."""
    with Stack(request.param, tmp_path_factory.mktemp(request.param)) as stack:
        yield stack


@pytest.fixture(scope="session")
def owner(stack: Stack) -> ApiClient:
    """Return the API client of the owner of a client."""
    return stack.create_owner()
