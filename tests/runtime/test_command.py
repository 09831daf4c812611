"""The command `timba`: which commands it lists, and that listing them needs no settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from timba import __version__
from timba.installation import IMPORT_PATH
from timba.runtime import command
from timba.runtime.command import COMMANDS, DJANGO_COMMANDS


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m timba` with a data folder that is not there yet."""
    return subprocess.run(
        [sys.executable, "-m", "timba", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(IMPORT_PATH),
            "TIMBA_DATA_DIR": str(folder / "data"),
            "TIMBA_PORT": "no number",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_command_of_timba_is_listed_with_its_own_sentence() -> None:
    own = {name: app for name, app in get_commands().items() if str(app).startswith("timba.")}
    sentences = {name: load_command_class(str(app), name).help for name, app in own.items()}
    assert sentences == COMMANDS
    assert set(DJANGO_COMMANDS) <= set(get_commands())


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_the_list_needs_no_settings_and_creates_nothing(
    arguments: list[str], tmp_path: Path
) -> None:
    listed = run(*arguments, folder=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "\nUsage: timba COMMAND [OPTIONS]\n" in listed.stdout
    assert f"\n  serve           {COMMANDS['serve']}\n" in listed.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_prints_its_version(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"{__version__}\n"


def test_an_invalid_variable_ends_it_with_one_sentence(tmp_path: Path) -> None:
    refused = run("check", folder=tmp_path)
    assert (refused.returncode, refused.stdout, refused.stderr) == (
        1,
        "",
        "Timba does not start: TIMBA_PORT is 'no number'. Give a whole number from 1 to 65,535.\n",
    )


def test_ctrl_c_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "execute_from_command_line", interrupt)
    monkeypatch.setattr("sys.argv", ["timba", "csu"])
    monkeypatch.setenv("PYTHONPATH", "")  # which it sets
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130


def test_absent_tables_end_it_with_one_sentence(tmp_path: Path) -> None:
    refused = run("changepassword", "admin", folder=tmp_path, TIMBA_PORT="8000")
    assert refused.returncode == 1
    assert refused.stderr == (
        "The database does not have the tables of this version of Timba yet: run "
        "`python manage.py migrate`, or start Timba, first.\n"
    )


def test_the_administrator_is_created_in_an_empty_database(tmp_path: Path) -> None:
    created = run("csu", folder=tmp_path, TIMBA_PORT="8000", TIMBA_ADMIN_PASSWORD="larch-and-alder")
    assert (created.stdout, created.stderr) == ("The administrator “admin” has been created.\n", "")


def test_processes_that_it_starts_find_the_package_from_any_folder(tmp_path: Path) -> None:
    started = subprocess.run(
        [sys.executable, str(IMPORT_PATH / "manage.py"), "shell", "-v0", "-c", IMPORTS_IN_A_CHILD],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TIMBA_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert started.stdout == f"{__version__}\n"


IMPORTS_IN_A_CHILD = (
    "import subprocess, sys; "
    "subprocess.run([sys.executable, '-P', '-m', 'timba', '--version'], check=True)"
)
