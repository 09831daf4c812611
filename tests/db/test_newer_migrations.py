"""A database that a newer Timba has migrated is refused, by all that would write to it."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.journeys.processes import kill_all
from tests.journeys.timba_process import MANAGE, SERVE, TimbaProcess
from timba import __version__
from timba.db.newer_migrations import check_database_is_not_newer, refuse_newer_database
from timba.folder_lock import folder_lock

SENTENCE = (
    f"The database was migrated by a newer Timba. Version {__version__} does not know: "
    "events.0099_from_the_future."
)
HINT = "Install the version of Timba that migrated it, or restore a backup."


def test_an_unknown_migration_of_timba_is_refused(db: None) -> None:
    MigrationRecorder(connection).record_applied("events", "0099_from_the_future")
    [problem] = check_database_is_not_newer(None, databases=["default"])
    assert (problem.id, problem.msg, problem.hint) == ("timba.E030", SENTENCE, HINT)
    assert problem in run_checks(databases=["default"])


def test_migrations_of_other_packages_are_not_refused(db: None) -> None:
    MigrationRecorder(connection).record_applied("axes", "0099_from_the_future")
    MigrationRecorder(connection).record_applied("django_celery_beat", "0001_initial")
    assert check_database_is_not_newer(None, databases=["default"]) == []
    refuse_newer_database()


def migrate_as_newer(timba: TimbaProcess) -> None:
    database = Path(timba.data_folder, "timba.sqlite3")
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, CURRENT_TIMESTAMP)",
            ("events", "0099_from_the_future"),
        )


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[TimbaProcess]:
    timba = TimbaProcess(tmp_path)
    subprocess.run([*MANAGE, "migrate", "-v0"], env=timba.environment(), check=True)
    yield timba
    kill_all("TIMBA_DATA_DIR", str(tmp_path))  # what should not have started


def test_a_newer_timba_that_migrates_first_is_noticed(migrated: TimbaProcess) -> None:
    with folder_lock(migrated.data_folder):
        start = subprocess.Popen(
            SERVE, env=migrated.environment(), stderr=subprocess.PIPE, text=True
        )
        assert start.stderr is not None
        while "another process migrates the database" not in (line := start.stderr.readline()):
            assert line, "serve did not wait"
        migrate_as_newer(migrated)
    assert start.communicate(timeout=120)[1] == f"CommandError: {SENTENCE} {HINT}\n"


@pytest.mark.parametrize("command", ["serve", "demo", "work", "relay"])
def test_no_process_starts_on_a_newer_database(migrated: TimbaProcess, command: str) -> None:
    migrate_as_newer(migrated)
    refused = subprocess.run(
        [*MANAGE, command],
        env=migrated.environment(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 1
    assert SENTENCE in refused.stderr
    assert HINT in refused.stderr
    assert "Traceback" not in refused.stderr
