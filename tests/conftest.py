"""What every test may ask for: a client, its users, and a program signed in as one of them."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from copy import deepcopy
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import storages
from django.db import connection
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from tests.factories import ClientFactory, StaffFactory, UserFactory, add_built_in_roles
from tests.files.lacking import python_lacking
from tests.worlds import World, kept_world
from timba.accounts.models import Client, Role, User
from timba.accounts.tokens import issue_tokens
from timba.api import health
from timba.files.protections import missing_protections
from timba.files.s3 import S3Storage
from timba.files.sandbox import close_sandbox

pytest_plugins = ("tests.servers",)

MakeUser = Callable[..., User]
AsUser = Callable[[User], APIClient]
Lack = Callable[[str], None]

_NEED_DATABASE = {"db", "transactional_db", "live_server", "client_company", "make_user", "staff"}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what is collected: it stays to the end."""
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
    """Mark what touches the database, so that it can be chosen to run again on each server.

    What asks another database than this one about itself is none of this run's tests.
    """
    elsewhere = []
    for item in items:
        asked = item.get_closest_marker("only_on")
        if asked is not None and connection.vendor not in asked.args:
            elsewhere.append(item)
        if _needs_database(item):
            item.add_marker("database")
    items[:] = [item for item in items if item not in elsewhere]
    config.hook.pytest_deselected(items=elsewhere)
    yield
    items[:] = _in_turn(items)


def _in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests file by file: a journey, which waits, and one that computes, the long first.

    Processes that take one file after another are so kept busy until the end.
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
    """Let nothing be skipped in CI: there, what a test needs has to be there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and in CI nothing is: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _built_in_roles(request: pytest.FixtureRequest) -> None:
    if _needs_database(request.node):
        request.getfixturevalue("db")
        add_built_in_roles()


def _needs_database(item: Any) -> bool:
    marked = item.get_closest_marker("django_db") is not None
    return marked or not _NEED_DATABASE.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _bucket() -> None:
    """Make the bucket that the settings name: each test process has one of its own."""
    store = storages["default"]
    if isinstance(store, S3Storage):
        store.client.create_bucket(Bucket=store.bucket)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture
def health_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let /health/ready look at every part anew: what it sees it remembers for seconds."""
    fresh = {name: health.CachedCheck(check._look) for name, check in health.CHECKS.items()}
    monkeypatch.setattr(health, "CHECKS", fresh)
    monkeypatch.setattr(health, "_CACHE_SECONDS", 0.0)


@pytest.fixture
def lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lack]:
    """Return a way to have the sandbox run on a kernel that lacks one of its protections."""

    def forget() -> None:
        close_sandbox()
        missing_protections.cache_clear()

    def run_without(protection: str) -> None:
        forget()
        monkeypatch.setattr(sys, "executable", str(python_lacking(protection, tmp_path)))

    yield run_without
    forget()


@pytest.fixture
def client_company(db: None) -> Client:
    """Return a client in its trial, with seats to spare."""
    return ClientFactory()


@pytest.fixture
def make_user(client_company: Client) -> MakeUser:
    """Return a maker of users: `make_user(role="viewer")`, of `client_company` unless told."""

    def make(role: str | Role = "owner", client: Client | None = None, **fields: Any) -> User:
        return UserFactory(role=role, client=client or client_company, **fields)

    return make


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Keep a sawmill for all tests of a module, which have no real transactions then."""
    with kept_world(django_db_blocker, word="Kalnamuiza", first_id=5_000_001) as world:
        yield world


@pytest.fixture
def world(kept: World, db: None) -> World:
    """Return a sawmill with a row of every noun."""
    return deepcopy(kept)


@pytest.fixture
def staff(db: None) -> User:
    """Return a member of the platform's staff."""
    return StaffFactory()


@pytest.fixture
def as_user() -> AsUser:
    """Return a maker of programs that are signed in: `as_user(user).get("/api/…")`."""

    def sign_in(user: User) -> APIClient:
        program = APIClient()
        program.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_tokens(user=user).access}")
        return program

    return sign_in
