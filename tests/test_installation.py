"""Where the settings file and the data folder are unless a variable names them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from timba import installation
from timba.installation import (
    IMPORT_PATH,
    default_data_folder,
    default_settings_file,
    enclosing_git_tree,
)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the home directory of an account that has installed Timba as a package."""
    monkeypatch.setattr(installation, "IS_CLONE", False)
    monkeypatch.setattr(installation, "_MACHINE_SETTINGS", tmp_path / "etc" / "timba")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path / "home"


def test_a_clone_has_both_in_itself() -> None:
    assert default_settings_file() == IMPORT_PATH / ".env"
    assert default_data_folder() == IMPORT_PATH / "var"


def test_an_account_has_both_in_its_home_directory(installed: Path) -> None:
    assert default_settings_file() == installed / ".config/timba/timba.env"
    assert default_data_folder() == installed / ".local/share/timba"


def test_an_account_may_have_moved_its_folders(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/srv/settings")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert default_settings_file() == Path("/srv/settings/timba/timba.env")
    assert default_data_folder() == installed / ".local/share/timba"


def test_root_has_both_in_folders_of_the_machine(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_settings_file() == tmp_path / "etc/timba/timba.env"
    assert default_data_folder() == Path("/var/lib/timba")


def test_with_settings_of_the_machine_every_account_has_those_of_root(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "etc/timba").mkdir(parents=True)
    assert default_settings_file() == tmp_path / "etc/timba/timba.env"
    assert default_data_folder() == Path("/var/lib/timba")


def test_an_account_without_a_home_directory_has_those_of_root(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert default_data_folder() == Path("/var/lib/timba")


def test_a_git_tree_around_a_folder_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "clone" / "var" / "data"
    folder.mkdir(parents=True)
    assert enclosing_git_tree(folder) is None
    subprocess.run(["git", "init", "--quiet", tmp_path / "clone"], check=True)
    assert enclosing_git_tree(folder) == tmp_path / "clone"
    assert enclosing_git_tree(tmp_path / "clone") == tmp_path / "clone"
    # A second work tree of a repository has a file of this name.
    (tmp_path / "clone/var/.git").touch()
    assert enclosing_git_tree(folder) == tmp_path / "clone/var"
