"""Tells the rows of a tally that are no logs by their words: totals, signatures, notes."""

from __future__ import annotations

from collections.abc import Sequence


def reason_left_out(texts: Sequence[str]) -> str | None:
    """Return why a row with these label texts is no log, or None."""
    words = {text.casefold().strip(" :") for text in texts}
    return "total" if words & {"total", "summe", "kopā"} else None
