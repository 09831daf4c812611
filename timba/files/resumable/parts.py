"""The local file of one resumable upload: a header, then the bytes that have arrived so far.

Requests append to it piece by piece. Nobody holds its lock while a caller is slow: each piece is
written under the lock, where its position and its writer are compared first. A caller whose
connection broke therefore resumes at once, and the request that it left behind writes nothing
more. The kernel releases the lock of a process that is killed.

The header names the latest writer, and from where on bytes have not been compared with their
checksum: these do not count until they have.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from django.conf import settings

from timba.db.errors import is_disk_full, log_outage
from timba.errors import Conflict, DiskFull, Locked, NotFound, Unavailable
from timba.failpoints import failpoint
from timba.files.storage import sync_directories

FOLDER: Final = "uploads-in-parts"
# A read of this size is quick, and so is writing it under the lock.
PIECE_BYTES: Final = 256 * 1024
OVERTAKEN: Final = "Another request has continued this upload: ask for its offset."
_ID_FILE: Final = "folder-id"
# The data begins at a page of the disk.
_HEADER_BYTES: Final = 4096
_HEADER: Final = struct.Struct("<16sq")
_NO_WRITER: Final = bytes(16)
_ALL_VERIFIED: Final = -1
_LOCK_WAIT_SECONDS: Final = 2.0
_LOCK_POLL_SECONDS: Final = 0.02
_log = structlog.get_logger(__name__)


class _Header(NamedTuple):
    writer: bytes
    unverified_from: int


class UploadGone(NotFound):
    """There is no such upload."""


class OffsetMismatch(Conflict):
    """The upload goes on at another offset."""

    def __init__(self, received: int) -> None:
        super().__init__(f"The upload goes on at byte {received}: send Upload-Offset: {received}.")
        self.received = received


class PartFile:
    """The open file of an upload. Every method may raise Locked, NotFound, DiskFull, Unavailable.

    `received`, `begin`, `append`, `verify` and `cut` lock it for themselves; what `locked` encloses
    may call `read` and `delete`.
    """

    def __init__(self, upload_id: uuid.UUID) -> None:
        """Open the file that `create` has made."""
        self._path = parts_folder() / str(upload_id)
        with _storing():
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise UploadGone from error

    @staticmethod
    def create(upload_id: uuid.UUID) -> None:
        """Make the file of a new upload, durably."""
        path = parts_folder() / str(upload_id)
        with _storing():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            header = _HEADER.pack(_NO_WRITER, _ALL_VERIFIED)
            _write_new(path, header.ljust(_HEADER_BYTES, b"\0"))
            sync_directories(path.parent)

    def close(self) -> None:
        os.close(self._descriptor)

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the lock during the context; yield the number of bytes that count."""
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while not self._try_lock():
            if time.monotonic() >= deadline:
                raise Locked
            time.sleep(_LOCK_POLL_SECONDS)
        try:
            with _storing():
                if not os.fstat(self._descriptor).st_nlink:
                    raise UploadGone
                yield self._counted()
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def received(self) -> int:
        """Return the number of bytes that count, and make them durable."""
        with self.locked() as counted:
            os.fsync(self._descriptor)
            return counted

    def begin(self, offset: int, *, has_checksum: bool) -> bytes:
        """Become the writer from `offset` on, and return its token; raise OffsetMismatch.

        With a checksum, bytes count only once `verify` is called.
        """
        writer = uuid.uuid4().bytes
        with self.locked() as counted:
            if offset != counted:
                raise OffsetMismatch(counted)
            os.ftruncate(self._descriptor, _HEADER_BYTES + counted)
            self._write_header(writer, offset if has_checksum else _ALL_VERIFIED)
            if has_checksum:
                os.fsync(self._descriptor)
        return writer

    def append(self, writer: bytes, position: int, data: bytes) -> None:
        """Write at `position`; raise Conflict where another writer has begun meanwhile."""
        with self.locked():
            self._check_writer(writer)
            while data:
                written = os.pwrite(self._descriptor, data, _HEADER_BYTES + position)
                data, position = data[written:], position + written
            failpoint("resumable.written")

    def verify(self, writer: bytes) -> None:
        """Make what was written durable, then count it."""
        with self.locked():
            self._check_writer(writer)
            os.fsync(self._descriptor)
            if self._header().unverified_from != _ALL_VERIFIED:
                failpoint("resumable.unverified")
                self._write_header(writer, _ALL_VERIFIED)
                os.fsync(self._descriptor)
            failpoint("resumable.synced")

    def cut(self, writer: bytes, position: int) -> None:
        """Discard what was written from `position` on."""
        with self.locked():
            self._check_writer(writer)
            os.ftruncate(self._descriptor, _HEADER_BYTES + position)
            self._write_header(writer, _ALL_VERIFIED)
            os.fsync(self._descriptor)

    def read(self, size: int, position: int = 0) -> bytes:
        """Return bytes from `position` on, fewer than `size` only at the end."""
        return os.pread(self._descriptor, size, _HEADER_BYTES + position)

    def delete(self) -> None:
        with suppress(FileNotFoundError):
            self._path.unlink()
            sync_directories(self._path.parent)
        failpoint("resumable.bytes_deleted")

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _counted(self) -> int:
        unverified_from = self._header().unverified_from
        if unverified_from != _ALL_VERIFIED:
            return unverified_from
        return os.fstat(self._descriptor).st_size - _HEADER_BYTES

    def _check_writer(self, writer: bytes) -> None:
        if self._header().writer != writer:
            raise Conflict(OVERTAKEN)

    def _header(self) -> _Header:
        return _Header(*_HEADER.unpack(os.pread(self._descriptor, _HEADER.size, 0)))

    def _write_header(self, writer: bytes, unverified_from: int) -> None:
        os.pwrite(self._descriptor, _HEADER.pack(writer, unverified_from), 0)


def parts_folder() -> Path:
    """Return the folder of all files of this class."""
    return Path(settings.TIMBA_DATA_DIR, FOLDER)


def folder_id() -> uuid.UUID:
    """Return the id that the folder has on every machine that shares it; make it if necessary."""
    folder = parts_folder()
    path = folder / _ID_FILE
    with _storing():
        while True:
            with suppress(FileNotFoundError):
                return uuid.UUID(path.read_text())
            folder.mkdir(mode=0o700, exist_ok=True)
            new = folder / f"{_ID_FILE}-{uuid.uuid4()}"
            _write_new(new, str(uuid.uuid4()).encode())
            with suppress(FileExistsError):
                path.hardlink_to(new)
            new.unlink()
            sync_directories(folder, folder.parent)


def files_in_folder() -> Iterator[tuple[uuid.UUID, os.stat_result]]:
    """Yield the uploads that have a file here, and its properties."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(parts_folder()):
            with suppress(ValueError, FileNotFoundError):
                yield uuid.UUID(entry.name), entry.stat()


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet, and make its content durable."""
    with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            log_outage(error)
            raise DiskFull from error
        _log.exception("storage_unavailable")
        raise Unavailable("Files cannot be stored just now. Try again in a moment.") from error
