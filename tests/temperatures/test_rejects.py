"""Rejects are kept in order and up to a bound, whatever the blocks they come in."""

from __future__ import annotations

import io

import pytest

from timba.temperatures.parsing import Reason, Reject
from timba.temperatures.rejects import RejectsWriter

REJECTS = [Reject(number, Reason.CITY, f"bad {number}") for number in range(1, 10)]
LINE = len(f"1,{Reason.CITY},bad 1\r\n")
HEADER = len("line,reason,text\r\n")


@pytest.mark.parametrize("block", [1, 4, 9])
@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({}, 9),
        ({"max_rejects": 9}, 9),
        ({"max_rejects": 8}, 8),
        ({"max_rejects": 0}, 0),
        ({"max_bytes": HEADER + 9 * LINE}, 9),
        ({"max_bytes": HEADER + 9 * LINE - 1}, 8),
        ({"max_bytes": HEADER + 5 * LINE + 1}, 5),
    ],
)
def test_rejects_are_kept_up_to_the_bound(bounds: dict[str, int], kept: int, block: int) -> None:
    sink = io.BytesIO()
    writer = RejectsWriter(sink, **bounds)  # type: ignore[arg-type]
    for start in range(0, 9, block):
        writer.add(REJECTS[start : start + block])
    lines = [f"{number},{Reason.CITY},bad {number}" for number in range(1, kept + 1)]
    assert sink.getvalue().decode().splitlines() == ["line,reason,text", *lines]
    assert writer.kept == kept


def test_after_one_that_is_too_many_none_is_kept() -> None:
    """Else a short one would stand behind a gap, and nobody would see the gap."""
    sink = io.BytesIO()
    writer = RejectsWriter(sink, max_bytes=HEADER + LINE)  # type: ignore[arg-type]
    writer.add([Reject(1, Reason.CITY, "x" * 100)])
    writer.add(REJECTS[:1])
    assert writer.kept == 0
