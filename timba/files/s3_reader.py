"""Reads one object of S3 with range requests, whose windows grow while reading is sequential.

A seek starts again with a small window, so that little is fetched in vain. A window that is read to
its end frees its connection for the next one. After a broken connection, reading resumes at the
same position.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, Final

from botocore.exceptions import BotoCoreError, ReadTimeoutError

from timba.files.storage import StorageUnavailable

_FIRST_WINDOW_BYTES: Final = 1024 * 1024
_LARGEST_WINDOW_BYTES: Final = 64 * 1024 * 1024
_MAX_ATTEMPTS: Final = 3

# Opens the bytes of the half-open interval [start, stop); raises what an ObjectStore raises.
Fetch = Callable[[int, int], IO[bytes]]


class S3Reader(io.RawIOBase):
    """A seekable stream of an object."""

    def __init__(self, *, fetch: Fetch, size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._position = 0
        self._window = _FIRST_WINDOW_BYTES
        self._window_end = 0
        self._body: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        target = max(0, base + offset)
        if target != self._position:
            self._close_window()
            self._window = _FIRST_WINDOW_BYTES
            self._position = target
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._size or not len(buffer):
            return 0
        chunk = self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        if self._position >= self._window_end:
            self._close_window()
        return len(chunk)

    def close(self) -> None:
        self._close_window()
        super().close()

    def _read(self, size: int) -> bytes:
        """Return between 1 and `size` bytes; raise StorageUnavailable where none can be read."""
        for _ in range(_MAX_ATTEMPTS):
            body = self._body or self._open_window(size)
            try:
                if chunk := body.read(size):
                    return chunk
            except ReadTimeoutError as error:
                self._close_window()
                raise StorageUnavailable("the S3 server stopped sending") from error
            except BotoCoreError:
                pass  # the connection broke: resume at this position
            self._close_window()
        raise StorageUnavailable("the S3 server breaks the connection repeatedly")

    def _open_window(self, min_size: int) -> IO[bytes]:
        length = max(min_size, self._window)
        self._window = min(self._window * 4, _LARGEST_WINDOW_BYTES)
        stop = min(self._position + length, self._size)
        self._body, self._window_end = self._fetch(self._position, stop), stop
        return self._body

    def _close_window(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
