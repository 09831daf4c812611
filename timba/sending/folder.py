"""A watched folder: which of its files are complete, and where they go once they are sent."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from timba.sending.paths import is_temporary

DONE: Final = "done"
REFUSED: Final = "refused"
_LOCK: Final = ".timba-watch"
_TEXT: Final = ".txt"
_MAX_NAME_BYTES: Final = 255


class FolderInUse(Exception):
    """Another process watches the folder."""


class _Seen(NamedTuple):
    """A file as it was seen, and since when it has been so, in seconds of a steady clock."""

    size: int
    changed_at: int
    since: float


class WatchedFolder:
    """The files of one folder, without those of the folders in it.

    A file is complete when it has stood still for `still_seconds` and no process has it open for
    writing, as far as the file system can tell.
    """

    def __init__(
        self, path: Path, *, still_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._still_seconds = still_seconds
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create what is missing and keep others out; raise FolderInUse, or OSError."""
        for name in (DONE, REFUSED):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUse(f"Another process watches {self.path} already.") from None
            yield

    def complete_files(self) -> list[Path]:
        """Return the complete files, in the order of their names."""
        now, before, self._seen = self._clock(), self._seen, {}
        complete = []
        for entry in sorted(os.scandir(self.path), key=lambda entry: entry.name):
            if is_temporary(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):  # it was moved away meanwhile
                facts = entry.stat(follow_symlinks=False)
                seen = _Seen(facts.st_size, facts.st_mtime_ns, now)
                earlier = before.get(entry.name)
                if earlier is not None and earlier[:2] == seen[:2]:
                    seen = earlier
                self._seen[entry.name] = seen
                if now - seen.since >= self._still_seconds and not _is_being_written(entry.path):
                    complete.append(Path(entry.path))
        return complete

    def move(self, file: Path, folder: str, *, sentence: str = "") -> Path:
        """Move a file into `done` or `refused`, with a text that holds the sentence, if any.

        A name that is taken there is numbered.
        """
        target, number = self.path / folder / file.name, 1
        while target.exists():
            number += 1
            target = self.path / folder / f"{file.stem} ({number}){file.suffix}"
        if sentence:
            _text_beside(target).write_text(f"{sentence}\n", "utf-8")
        file.rename(target)
        return target


def _text_beside(file: Path) -> Path:
    name = os.fsencode(file.name)[: _MAX_NAME_BYTES - len(_TEXT)]
    return file.with_name(os.fsdecode(name) + _TEXT)


def _is_being_written(path: str) -> bool:
    """Return whether a process has the file open for writing: then it grants no lease to read.

    Network file systems, and files of other users, cannot be asked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return False  # sending it tells
    try:
        # A program that opens it for writing meanwhile would end this process by SIGIO.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
