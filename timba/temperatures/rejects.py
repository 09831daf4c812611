"""Keeps a file's bad lines as CSV, up to a bound: a small archive may hold millions of them."""

from __future__ import annotations

from collections.abc import Sequence
from io import RawIOBase
from typing import Final

from timba.files.safe_csv import csv_lines
from timba.temperatures.parsing import Reject

HEADER: Final = ("line", "reason", "text")
MAX_REJECTS: Final = 1_000_000
MAX_BYTES: Final = 64 * 1024 * 1024


class RejectsWriter:
    """Writes rejects in the order of their lines; from the first that is too many on, none."""

    def __init__(
        self, sink: RawIOBase, *, max_rejects: int = MAX_REJECTS, max_bytes: int = MAX_BYTES
    ) -> None:
        self.kept = 0
        self._sink, self._max_rejects = sink, max_rejects
        self._bytes_left, self._is_full = max_bytes, False
        self._write(csv_lines([HEADER]))

    def add(self, rejects: Sequence[Reject]) -> None:
        """Keep these rejects, or as many of the first of them as there is room for."""
        if self._is_full or not rejects:
            return
        lines = csv_lines(rejects)
        if self.kept + len(rejects) <= self._max_rejects and len(lines) <= self._bytes_left:
            self.kept += len(rejects)
            self._write(lines)
            return
        self._is_full = True
        for reject in rejects[: self._max_rejects - self.kept]:
            line = csv_lines([reject])
            if len(line) > self._bytes_left:
                return
            self.kept += 1
            self._write(line)

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._bytes_left -= len(data)
