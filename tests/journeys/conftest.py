"""A Timba with its demo company, for the journeys of one module, and its manager's program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.timba_process import Program, TimbaProcess


@pytest.fixture(scope="module")
def timba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    process = TimbaProcess(tmp_path_factory.mktemp("demo"))
    try:
        process.start()
        yield process
    finally:
        process.clean_up()


@pytest.fixture(scope="module")
def manager(timba: TimbaProcess) -> Program:
    return timba.sign_in("ilze", timba.password_of("ilze"))
