"""A watched folder: a file is taken when it is complete, and is moved without losing another."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from timba.sending.folder import DONE, REFUSED, FolderInUse, WatchedFolder


class Clock:
    """A clock that tests set forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> WatchedFolder:
    return WatchedFolder(tmp_path, still_seconds=10, clock=clock)


def names(folder: WatchedFolder) -> list[str]:
    return [path.name for path in folder.complete_files()]


def test_a_file_is_complete_once_it_has_stood_still(folder: WatchedFolder, clock: Clock) -> None:
    file = folder.path / "load.jpg"
    file.write_bytes(b"first half")
    assert names(folder) == []
    clock.now += 9
    file.write_bytes(b"first half and second half")
    assert names(folder) == []
    clock.now += 9
    assert names(folder) == []
    clock.now += 1
    assert names(folder) == ["load.jpg"]


def test_a_file_of_the_same_size_that_is_written_anew_waits_again(
    folder: WatchedFolder, clock: Clock
) -> None:
    file = folder.path / "load.jpg"
    file.write_bytes(b"one")
    assert names(folder) == []
    clock.now += 20
    file.write_bytes(b"two")
    os.utime(file, ns=(0, time.time_ns() + 1_000_000_000))
    assert names(folder) == []


def test_a_file_that_is_open_for_writing_is_not_complete(
    folder: WatchedFolder, clock: Clock
) -> None:
    with (folder.path / "scan.pdf").open("wb") as writer:
        writer.write(b"%PDF-1.7")
        writer.flush()
        assert names(folder) == []
        clock.now += 60
        assert names(folder) == []
    assert names(folder) == ["scan.pdf"]


def test_temporary_names_folders_and_links_are_left_alone(
    folder: WatchedFolder, clock: Clock, tmp_path: Path
) -> None:
    for name in (".hidden.jpg", "~$tally.xlsx", "load.jpg.part", "LOAD.CRDOWNLOAD", "a.TMP"):
        (folder.path / name).write_bytes(b"x")
    (folder.path / "b").mkdir()
    (folder.path / "c.jpg").symlink_to("/etc/hostname")
    (folder.path / "d.jpg").write_bytes(b"x")
    assert names(folder) == []
    clock.now += 60
    assert names(folder) == ["d.jpg"]


def test_a_moved_file_replaces_no_other(folder: WatchedFolder) -> None:
    with folder.locked():
        for content in ("one", "two"):
            file = folder.path / "load.jpg"
            file.write_text(content)
            folder.move(file, DONE)
    assert (folder.path / "done/load.jpg").read_text() == "one"
    assert (folder.path / "done/load (2).jpg").read_text() == "two"


def test_a_refused_file_lies_beside_its_sentence(folder: WatchedFolder) -> None:
    long = "a" * 251 + ".jpg"
    with folder.locked():
        for name in ("x.exe", long):
            file = folder.path / name
            file.write_bytes(b"MZ")
            folder.move(file, REFUSED, sentence="“x.exe” is not accepted.")
    assert (folder.path / "refused/x.exe.txt").read_text() == "“x.exe” is not accepted.\n"
    assert (folder.path / "refused" / ("a" * 251 + ".txt")).is_file()
    assert (folder.path / "refused" / long).is_file()


def test_two_processes_do_not_watch_one_folder(folder: WatchedFolder) -> None:
    other = WatchedFolder(folder.path, still_seconds=10)
    with (
        folder.locked(),
        pytest.raises(FolderInUse, match=f"^Another process watches {folder.path} already\\.$"),
        other.locked(),
    ):
        pass
