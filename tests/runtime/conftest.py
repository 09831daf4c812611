"""A company to back up, and its backup."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.factories import Tenant, create_tenant
from timba.consignments.services import recount_consignment
from timba.runtime.backup_format import BackupFolder

Run = Callable[..., str]


@pytest.fixture
def company(transactional_db: None, use_store: Callable[[Path], None], tmp_path: Path) -> Tenant:
    """Return a client with a row of every noun, whose objects are in a store of their own."""
    use_store(tmp_path / "store")
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    recount_consignment(tenant.consignment)
    return tenant


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
