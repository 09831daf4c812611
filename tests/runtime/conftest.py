"""A company to back up, and empty installations to restore it into."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from tests.factories import Tenant, create_tenant
from timba.consignments.services import recount_consignment
from timba.runtime.backup_format import BackupFolder

Run = Callable[..., str]
Elsewhere = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def use_store(settings: Settings) -> Callable[[Path], None]:
    """Return a function that makes a folder the object store."""

    def use(folder: Path) -> None:
        backend = "timba.files.storage.LocalStorage"
        default = {"BACKEND": backend, "OPTIONS": {"location": folder}}
        settings.STORAGES = {**settings.STORAGES, "default": default}

    return use


@pytest.fixture
def company(transactional_db: None, use_store: Callable[[Path], None], tmp_path: Path) -> Tenant:
    """Return a client with a row of every noun, whose objects are in a store of their own."""
    use_store(tmp_path / "store")
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    recount_consignment(tenant.consignment)
    return tenant


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


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command and returns what it prints."""

    def run_command(name: str, *arguments: object, **options: Any) -> str:
        out = io.StringIO()
        call_command(name, *map(str, arguments), stdout=out, stderr=out, **options)
        return out.getvalue()

    return run_command


@pytest.fixture
def backup(company: Tenant, tmp_path: Path, run: Run) -> Path:
    """Return a folder with a backup of the company."""
    run("backup", tmp_path / "backup")
    return tmp_path / "backup"


def manifest_path(folder: Path) -> Path:
    """Return the manifest of the only backup in a folder."""
    [name] = BackupFolder(folder).names()
    return BackupFolder(folder).snapshot(name) / "manifest.json"
