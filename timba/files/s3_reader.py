"""Reads one object of S3 in windows: small ones after each jump, ever larger ones on the way.

A window that is read to its end leaves its connection for the next one. A connection that is cut
is taken up again where it broke.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, Final

from botocore.exceptions import BotoCoreError, ReadTimeoutError

from timba.files.storage import StorageUnavailable

_FIRST_WINDOW: Final = 1024 * 1024
_LARGEST_WINDOW: Final = 64 * 1024 * 1024
_CUTS_IN_A_ROW: Final = 3

# Opens the bytes from a start up to, not including, a stop; raises what a store raises.
Fetch = Callable[[int, int], IO[bytes]]


class S3Reader(io.RawIOBase):
    """An object's bytes, seekable."""

    def __init__(self, *, fetch: Fetch, size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._window = _FIRST_WINDOW
        self._window_end = 0
        self._body: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        target = max(0, base + offset)
        if target != self._at:
            self._let_go()
            self._window = _FIRST_WINDOW
            self._at = target
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size or not len(buffer):
            return 0
        chunk = self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        if self._at >= self._window_end:
            self._let_go()
        return len(chunk)

    def close(self) -> None:
        self._let_go()
        super().close()

    def _read(self, most: int) -> bytes:
        """Return the next bytes, at least one; raise StorageUnavailable where there are none to be had."""
        for _ in range(_CUTS_IN_A_ROW):
            body = self._body or self._open_window(most)
            try:
                if chunk := body.read(most):
                    return chunk
            except ReadTimeoutError as silence:
                self._let_go()
                raise StorageUnavailable("the S3 server fell silent") from silence
            except BotoCoreError:
                pass  # cut off: read on from here
            self._let_go()
        raise StorageUnavailable("the S3 server breaks off again and again")

    def _open_window(self, most: int) -> IO[bytes]:
        length = max(most, self._window)
        self._window = min(self._window * 4, _LARGEST_WINDOW)
        stop = min(self._at + length, self._size)
        self._body, self._window_end = self._fetch(self._at, stop), stop
        return self._body

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
