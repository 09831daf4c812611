"""Shows the progress of commands that take long."""

from __future__ import annotations

import time
from typing import Final

from django.core.management.base import OutputWrapper

_TERMINAL_SECONDS: Final = 0.2
_OTHER_SECONDS: Final = 10.0


class Progress:
    """Counts the steps of one activity: a line that is refreshed on a terminal, else one now and
    then.
    """

    def __init__(self, output: OutputWrapper, activity: str, total: int | None = None) -> None:
        self._output, self._activity, self._total = output, activity, total
        self._is_terminal = output.isatty()
        self._interval = _TERMINAL_SECONDS if self._is_terminal else _OTHER_SECONDS
        self._shown_at = time.monotonic()
        self.count = 0
        self.bytes = 0

    def advance(self, count: int = 1, *, size: int = 0) -> None:
        """Count steps, and bytes if the activity has any."""
        self.count += count
        self.bytes += size
        now = time.monotonic()
        if now - self._shown_at >= self._interval:
            self._shown_at = now
            self._show()

    def finish(self) -> None:
        """Show the final numbers."""
        self._show()
        if self._is_terminal:
            self._output.write("")

    def _show(self) -> None:
        of = "" if self._total is None else f" of {self._total:,}"
        size = f", {self.bytes / 1_000_000:,.1f} MB" if self.bytes else ""
        line = f"{self._activity}: {self.count:,}{of}{size}"
        if self._is_terminal:
            self._output.write(f"\r\x1b[K{line}", ending="")
        else:
            self._output.write(line)
        self._output.flush()
