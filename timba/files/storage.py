"""Keeps objects in a folder so that what was acknowledged survives a power cut.

Django's FileSystemStorage never syncs. Here an object is written beside its place, synced, linked
into place without overwrite, and its folders are synced: after that, and only then, it exists.
Keys are made by Timba, never by users.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Protocol, cast

from django.core.files import File as DjangoFile
from django.core.files.storage import Storage, default_storage

from timba.db.transactions import outside_transactions
from timba.failpoints import failpoint
from timba.files.processors.base import ObjectWriter

# More than a file system keeps beside a file's name: these need a block of the disk.
_PROBE_BYTES: Final = 4096


def new_key() -> str:
    """Return a key that nothing has yet; spread over 256 folders, for the folders' sake."""
    name = uuid.uuid4().hex
    return f"{name[:2]}/{name}"


class StorageUnavailable(OSError):
    """The store of files does not answer just now."""


class ObjectStore(Protocol):
    """Where objects are kept: written once, whole or not at all, and read as they were written.

    Every method may raise OSError: StorageUnavailable where trying again later may help. None of them is
    called inside a transaction: see `outside_transactions`.
    """

    def create(self, key: str) -> ObjectWriter:
        """Open a new object for writing; its commit raises FileExistsError if `key` is taken."""

    def open_bytes(self, key: str) -> BinaryIO:
        """Return the object's bytes, seekable; raise FileNotFoundError where there is none."""

    def delete(self, name: str) -> None:
        """Erase a finished object; what is not there is erased already."""

    def purge(self, name: str) -> None:
        """Erase an object, finished or not: what a crash left too. It may take a while."""

    def exists(self, name: str) -> bool:
        """Whether there is a finished object under this key."""

    def size(self, name: str) -> int:
        """Return an object's bytes; raise FileNotFoundError where there is none."""

    def check(self) -> None:
        """Raise unless the store takes bytes now: ImproperlyConfigured where it never will."""


def store() -> ObjectStore:
    """Return the store that settings compose."""
    return cast("ObjectStore", default_storage)


class LocalStorage(Storage):
    """Objects as files under `location`; unfinished ones under `location/unfinished`."""

    def __init__(self, *, location: str | Path) -> None:
        self.location = Path(location)

    @outside_transactions
    def create(self, key: str) -> LocalWriter:
        unfinished = self._unfinished(key)
        if not unfinished.parent.is_dir():
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            _sync_folders(self.location.parent)
        return LocalWriter(unfinished=unfinished, final=self._final(key), root=self.location)

    @outside_transactions
    def open_bytes(self, key: str) -> BinaryIO:
        return self._final(key).open("rb")

    @outside_transactions
    def delete(self, name: str) -> None:
        _erase(self._final(name))

    @outside_transactions
    def purge(self, name: str) -> None:
        _erase(self._unfinished(name))
        _erase(self._final(name))

    @outside_transactions
    def exists(self, name: str) -> bool:
        return self._final(name).exists()

    @outside_transactions
    def size(self, name: str) -> int:
        return self._final(name).stat().st_size

    @outside_transactions
    def check(self) -> None:
        self.location.mkdir(parents=True, exist_ok=True)
        writer = self.create(new_key())
        try:
            writer.write(bytes(_PROBE_BYTES))
            writer.sync()
        finally:
            writer.abort()

    def _open(self, name: str, mode: str = "rb") -> DjangoFile[Any]:
        return DjangoFile(self._final(name).open(mode))

    def _save(self, name: str, content: IO[Any]) -> str:
        with self.create(name) as writer:
            shutil.copyfileobj(content, writer)
        return name

    def _final(self, key: str) -> Path:
        return self.location / key

    def _unfinished(self, key: str) -> Path:
        return self.location / "unfinished" / key.rsplit("/", 1)[-1]


class LocalWriter(ObjectWriter):
    """Writes one object of a LocalStorage."""

    def __init__(self, *, unfinished: Path, final: Path, root: Path) -> None:
        super().__init__()
        self._unfinished, self._final, self._root = unfinished, final, root
        self._file = unfinished.open("xb")
        failpoint("storage.begun")

    def writable(self) -> bool:
        return True

    @outside_transactions
    def write(self, data: Any) -> int:
        written = self._file.write(data)
        failpoint("storage.written")
        return written

    def tell(self) -> int:
        return self._file.tell()

    @outside_transactions
    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def commit(self) -> None:
        self.sync()
        failpoint("storage.synced")
        self._file.close()
        folder = self._final.parent
        folder.mkdir(exist_ok=True)
        self._final.hardlink_to(self._unfinished)
        failpoint("storage.linked")
        self._unfinished.unlink()
        failpoint("storage.in_place")
        # The root each time: another upload may have made the folder and not synced it yet.
        _sync_folders(folder, self._root)

    def abort(self) -> None:
        # Closing writes out what is still in memory; where the disk is full, that fails again.
        with contextlib.suppress(OSError):
            self._file.close()
        self._unfinished.unlink(missing_ok=True)


def _erase(path: Path) -> None:
    """Erase a file for good: a power cut must not bring back bytes whose row is gone."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        failpoint("storage.erased")
        _sync_folders(path.parent)


def _sync_folders(*folders: Path) -> None:
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
