"""Reads stored bytes and proves, at their end, that they are the ones that were uploaded."""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO


class FileDamaged(Exception):
    """The stored bytes have another sha256 than the upload had."""


class VerifiedStream(io.RawIOBase, BinaryIO):
    """A stream that hashes what is read, in order, and raises FileDamaged at a wrong end."""

    def __init__(self, stream: BinaryIO, *, sha256: str) -> None:
        super().__init__()
        self._stream, self._expected = stream, sha256
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._digest.update(chunk)
        at_end = not chunk if size >= 0 else True
        if at_end and size != 0 and self._digest.hexdigest() != self._expected:
            raise FileDamaged
        return chunk

    def close(self) -> None:
        self._stream.close()
        super().close()
