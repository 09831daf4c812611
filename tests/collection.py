"""A pytest plugin: which tests run, in which order, and that nothing is skipped in CI."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

_DATABASE_FIXTURES = {
    *("db", "transactional_db", "live_server", "client_company", "make_user", "staff"),
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt the collected items from garbage collection: they live until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark the tests that use the database, and deselect those meant for another database."""
    deselected = []
    for item in items:
        only_on = item.get_closest_marker("only_on")
        if only_on is not None and connection.vendor not in only_on.args:
            deselected.append(item)
        if _needs_database(item):
            item.add_marker("database")
    items[:] = [item for item in items if item not in deselected]
    config.hook.pytest_deselected(items=deselected)
    yield
    items[:] = _in_running_order(items)


def _in_running_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items file by file, the longest files first, journeys between the others.

    Journeys mostly wait and the others compute, so test processes that take one file after
    another stay busy until the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    journeys, others = [], []
    for tests in sorted(files.values(), key=len, reverse=True):
        waits = any(item.get_closest_marker("journey") for item in tests)
        (journeys if waits else others).append(tests)
    pairs = zip_longest(journeys, others, fillvalue=[])
    return [item for pair in pairs for tests in pair for item in tests]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and in CI nothing is: {report.longrepr}"
    return report


def _needs_database(item: Any) -> bool:
    marked = item.get_closest_marker("django_db") is not None
    return marked or not _DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
