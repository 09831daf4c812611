"""`manage.py serve` for all journeys of a module, and the API client of a client's owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess


@pytest.fixture(scope="module")
def timba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    folder = tmp_path_factory.mktemp("serve")
    with TimbaProcess(folder, SERVE, TIMBA_LEASE_SECONDS="3") as timba:
        yield timba


@pytest.fixture(scope="module")
def owner(timba: TimbaProcess) -> ApiClient:
    return timba.create_owner()
