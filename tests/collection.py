"""A pytest plugin: which tests run, in which order, and that nothing is skipped in CI."""

from __future__ import annotations

import os
from collections.abc import Generator
from itertools import zip_longest
from pathlib import Path

import pytest
from django.db import connection

from timba.files.heif import HEIC_IS_READ
from timba.files.tesseract import IS_INSTALLED

_DATABASE_FIXTURES = {
    *("db", "transactional_db", "live_server", "client_company", "make_user", "staff"),
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark the tests that use the database, and deselect those for another database or extra."""
    deselected = []
    for item in items:
        if _is_for_others(item):
            deselected.append(item)
        is_marked = item.get_closest_marker("django_db") is not None
        if is_marked or not _DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("database")
    items[:] = [item for item in items if item not in deselected]
    config.hook.pytest_deselected(items=deselected)
    yield
    items[:] = _in_running_order(items)


def _is_for_others(item: pytest.Item) -> bool:
    """Return whether a test is for another database, or for the other choice of an extra."""
    only_on = item.get_closest_marker("only_on")
    if only_on is not None and connection.vendor not in only_on.args:
        return True
    extras = {"heic_is_read": HEIC_IS_READ, "ocr_is_installed": IS_INSTALLED}
    markers = {name: item.get_closest_marker(name) for name in extras}
    return any(mark and mark.args != (extras[name],) for name, mark in markers.items())


def _in_running_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items file by file, the largest files first, journeys between the others.

    Journeys mostly wait and the others compute, so test processes that take one file after
    another stay busy until the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: item.path.stat().st_size, reverse=True):
        files.setdefault(item.path, []).append(item)
    waits = [tests for tests in files.values() if tests[0].get_closest_marker("journey")]
    computes = [tests for tests in files.values() if tests not in waits]
    pairs = zip_longest(waits, computes, fillvalue=[])
    return [item for pair in pairs for tests in pair for item in tests]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and in CI nothing is: {report.longrepr}"
    return report
