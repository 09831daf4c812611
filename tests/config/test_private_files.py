"""Stored data is accessible to Timba's own account only, also data of earlier versions."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from timba.config.private_files import is_accessible_to_others, make_private

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of a folder and of everything in it but symbolic links."""
    paths = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    return {str(path.relative_to(folder)): f"{path.stat().st_mode & 0o7777:04o}" for path in paths}


def create_open_folder(folder: Path) -> None:
    """Create a data folder like that of an earlier version, readable by all accounts."""
    for name in ("files/ab", "files/unfinished", "static", "log"):
        (folder / name).mkdir(parents=True)
    for name in ("timba.sqlite3", "timba.sqlite3-wal", "timba.sqlite3-shm", "files/ab/abcd"):
        (folder / name).write_text("kept")
    (folder / "secret_key").write_text("kept")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def run_timba(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a management command with the usual umask."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TIMBA_DATA_DIR": str(folder), **variables},
        umask=0o022,
        check=True,
        capture_output=True,
        text=True,
    )


def test_open_folders_and_files_are_restricted(tmp_path: Path) -> None:
    create_open_folder(tmp_path)
    make_private(tmp_path)
    found_modes = modes(tmp_path)
    assert {name: mode for name, mode in found_modes.items() if mode not in {"0600", "0700"}} == {}
    assert found_modes["."] == found_modes["files"] == found_modes["files/ab"] == "0700"
    assert (
        found_modes["timba.sqlite3-wal"]
        == found_modes["files/ab/abcd"]
        == found_modes["secret_key"]
        == "0600"
    )


def test_links_are_not_followed_and_shared_folders_stay_open(tmp_path: Path) -> None:
    website, data = tmp_path / "website", tmp_path / "data"
    create_open_folder(website)
    before = modes(website)
    data.mkdir()
    (data / "static").symlink_to(website)
    make_private(data)
    website.chmod(0o1755)
    make_private(website)
    website.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(website / "log", NOBODY, NOBODY)
        make_private(website)
    assert modes(website) == before


def test_what_cannot_be_restricted_is_reported_as_a_warning(tmp_path: Path) -> None:
    unchangeable = Path("/proc/self/status")  # its mode cannot be changed
    make_private(unchangeable)
    assert is_accessible_to_others(unchangeable)
    tmp_path.chmod(0o1755)
    checked = run_timba(tmp_path, "check", "--tag", "security")
    assert checked.stderr.count("(timba.W024)") == 1
    assert f"(timba.W024) Other accounts of this machine have rights to {tmp_path}.\n" in (
        checked.stderr
    )


def test_every_command_restricts_existing_files_and_creates_private_ones(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    create_open_folder(data)
    elsewhere.mkdir()
    (data / "timba.sqlite3").unlink()
    (data / "timba.sqlite3").symlink_to(elsewhere / "database")
    (data / "files").rename(elsewhere / "files")
    (data / "files").symlink_to(elsewhere / "files")
    (elsewhere / "database").touch(mode=0o644)
    elsewhere.chmod(0o755)
    statement = "import pathlib; pathlib.Path('made').touch(); pathlib.Path('folder').mkdir()"
    run_timba(data, "shell", "--command", f"import os; os.chdir({str(data)!r}); {statement}")
    assert set(modes(data).values()) == {"0600", "0700"}
    assert modes(data)["made"] == "0600"
    found_modes = modes(elsewhere)
    assert found_modes.pop(".") == "0755"
    assert set(found_modes.values()) == {"0600", "0700"}


def test_no_other_account_can_read_stored_data() -> None:
    others = [NOBODY] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        create_open_folder(data)
        stored = [path for path in data.rglob("*") if path.is_file()]
        before = [read_as(user, path) for user in others for path in stored]
        run_timba(data, "shell", "--command", "pass")
        after = [read_as(user, path) for user in others for path in stored]
        assert before == ["kept"] * len(stored) * len(others)
        assert after == [""] * len(stored) * len(others)


def read_as(user: int, path: Path) -> str:
    """Return what another account reads from a file; empty if it has no permission."""
    account: dict[str, Any] = {"user": user, "group": user, "extra_groups": []}
    command = ["/bin/cat", path]
    return subprocess.run(command, **account, check=False, capture_output=True, text=True).stdout
