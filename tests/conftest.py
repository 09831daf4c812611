"""Fixtures for all tests: clients, their users, and state that no test leaves behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import storages
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from tests.factories import ClientFactory, StaffFactory, Tenant, UserFactory, create_tenant
from tests.files.missing_protection import python_without
from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import BUILT_IN_ROLES
from timba.api import health
from timba.files.protections import missing_protections
from timba.files.s3 import S3Storage
from timba.files.sandbox import close_sandbox

pytest_plugins = ("tests.collection", "tests.servers")

MakeUser = Callable[..., User]
Lack = Callable[[str], None]
Elsewhere = Callable[[], AbstractContextManager[None]]


def _restore_built_in_roles() -> None:
    """Restore the roles that the migrations made; a test with real transactions removes them."""
    if Role.unscoped.filter(client=None).exists():
        return
    for number, (name, permissions) in enumerate(BUILT_IN_ROLES.items(), start=1):
        # The lowest ids: lists are ordered by id, and the built-in roles come first in them.
        Role.unscoped.create(pk=number, client=None, name=name, permissions=list(permissions))


@pytest.fixture(autouse=True)
def _built_in_roles(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("database"):
        request.getfixturevalue("db")
        _restore_built_in_roles()


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
    fresh = {name: health.CachedCheck(check._probe) for name, check in health.CHECKS.items()}
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
        monkeypatch.setattr(sys, "executable", str(python_without(protection, tmp_path)))

    yield run_without
    forget()


@pytest.fixture
def client_company(db: None) -> Client:
    """Return a client in its trial, with seats to spare."""
    return ClientFactory()


@pytest.fixture
def make_user(client_company: Client) -> MakeUser:
    """Return a function that creates users, by default of `client_company`."""

    def make(role: str | Role = "owner", client: Client | None = None, **fields: Any) -> User:
        return UserFactory(role=role, client=client or client_company, **fields)

    return make


@pytest.fixture
def use_store(settings: Settings) -> Callable[[Path], None]:
    """Return a function that makes a folder the object store."""

    def use(folder: Path) -> None:
        backend = "timba.files.storage.LocalStorage"
        default = {"BACKEND": backend, "OPTIONS": {"location": folder}}
        settings.STORAGES = {**settings.STORAGES, "default": default}

    return use


@pytest.fixture
def elsewhere(
    use_store: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Elsewhere:
    """Return a context in which this process uses an empty SQLite database and store."""

    @contextmanager
    def use() -> Iterator[None]:
        folder = tmp_path / "elsewhere"
        folder.mkdir(exist_ok=True)
        connection.close()
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict, "NAME", str(folder / "timba.sqlite3"))
            use_store(folder / "files")
            try:
                yield
            finally:
                connection.close()
                use_store(tmp_path / "store")

    return use


@pytest.fixture(scope="module")
def _module_transaction(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[DjangoDbBlocker]:
    """Keep the rows that module-scoped fixtures create until the module's last test has run.

    Each test is rolled back to them, unless it uses real transactions.
    """
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined] # permits durable blocks within
    with django_db_blocker.unblock():
        outer.__enter__()
        _restore_built_in_roles()
    yield django_db_blocker
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)


@pytest.fixture(scope="module")
def module_tenant(_module_transaction: DjangoDbBlocker) -> Tenant:
    """Return a client with a row of every noun, created once for a module."""
    with _module_transaction.unblock():
        return create_tenant(word="Kalnamuiza", first_id=5_000_001)


@pytest.fixture
def tenant(module_tenant: Tenant, db: None) -> Tenant:
    """Return a client with a row of every noun."""
    return deepcopy(module_tenant)


@pytest.fixture(scope="module")
def module_other_tenant(_module_transaction: DjangoDbBlocker) -> Tenant:
    """Return another client with a row of every noun, created once for a module."""
    with _module_transaction.unblock():
        return create_tenant(word="Dzirnupe", first_id=7_000_001)


@pytest.fixture
def other_tenant(module_other_tenant: Tenant, db: None) -> Tenant:
    """Return another client with a row of every noun."""
    return deepcopy(module_other_tenant)


@pytest.fixture
def staff(db: None) -> User:
    """Return a member of the platform's staff."""
    return StaffFactory()
