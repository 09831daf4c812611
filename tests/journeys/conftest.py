"""A Timba with its demo company for all journeys of a module, and its manager's API client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.timba_process import ApiClient, TimbaProcess


@pytest.fixture(scope="module")
def timba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    process = TimbaProcess(tmp_path_factory.mktemp("demo"))
    try:
        process.start()
        yield process
    finally:
        process.clean_up()


@pytest.fixture(scope="module")
def manager(timba: TimbaProcess) -> ApiClient:
    return timba.sign_in("ilze", timba.password_of("ilze"))
