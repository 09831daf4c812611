"""A path that cannot be read or written is reported in one sentence.

`manage.py` does that for all commands; two of them show it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.timba_process import ROOT

# Root ignores file modes unless these capabilities are dropped.
AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.geteuid() else []
COMMANDS = ["check", "serve"]


def refusal(data_folder: Path, command: str, **variables: str) -> str:
    """Return the output of a command that does not start."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TIMBA_", "DATABASE_", "STORAGE_", "BROKER_", "CACHE_"))
    }
    settings = {
        "TIMBA_DATA_DIR": str(data_folder),
        "TIMBA_ADMIN_PASSWORD": "larch-and-alder-48",
        **variables,
    }
    result = subprocess.run(
        [*AS_A_USER, sys.executable, str(ROOT / "manage.py"), command],
        env={**inherited, **settings, "DJANGO_SETTINGS_MODULE": "timba.config.settings.base"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    return result.stdout.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_data_folder_that_cannot_be_written_to(command: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    assert refusal(tmp_path, command) == (
        f"Timba does not start: TIMBA_DATA_DIR is {tmp_path}, which cannot be written to: "
        "Permission denied."
    )


def test_a_key_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch(0o000)
    assert refusal(tmp_path, "check") == (
        f"Timba does not start: TIMBA_SECRET_KEY is not set, and {tmp_path}/secret_key cannot be "
        "read or made: Permission denied."
    )


@pytest.mark.parametrize(
    "make",
    [lambda database: database.touch(0o444), lambda database: database.mkdir()],
    ids=["read-only", "a folder"],
)
def test_a_database_that_cannot_be_written_to(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "timba.sqlite3")
    assert refusal(tmp_path, "relay") == (
        f"Timba does not start: The database is {tmp_path}/timba.sqlite3, which cannot be written "
        "to. Give the user that Timba runs as the right to, for the file and its folder."
    )


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("files", "Timba cannot write to the folder of files, {}/files/unfinished"),
        ("static", "Timba cannot write its static files, {}/static/"),
    ],
)
def test_a_folder_in_it_that_cannot_be_written_to(
    folder: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir(0o555)
    output = refusal(tmp_path, "serve")
    assert f"CommandError: {sentence.format(tmp_path)}" in output
    assert output.endswith(": Permission denied.")


def test_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/nowhere/timba.sqlite3"
    assert refusal(tmp_path, "migrate", DATABASE_URL=nowhere) == (
        "Timba does not start: its database cannot be used: unable to open database file"
    )
