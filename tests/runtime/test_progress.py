"""Progress is one line that changes on a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import io

import pytest
from django.core.management.base import OutputWrapper

from timba.runtime import progress
from timba.runtime.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that shows its only element, in seconds."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_is_refreshed_on_a_terminal(clock: list[float]) -> None:
    out = Terminal()
    shown = Progress(OutputWrapper(out), "Objects", 3)
    for clock[0] in (0.1, 0.3, 0.4):
        shown.advance(size=500_000)
    shown.finish()
    first, last = "Objects: 2 of 3, 1.0 MB", "Objects: 3 of 3, 1.5 MB"
    assert out.getvalue() == f"\r\x1b[K{first}\r\x1b[K{last}\n"


def test_a_line_is_printed_every_ten_seconds_elsewhere(clock: list[float]) -> None:
    out = io.StringIO()
    shown = Progress(OutputWrapper(out), "Rows of files.file")
    for clock[0] in (5.0, 10.0, 15.0, 20.0):
        shown.advance(1000)
    assert out.getvalue() == "Rows of files.file: 2,000\nRows of files.file: 4,000\n"
