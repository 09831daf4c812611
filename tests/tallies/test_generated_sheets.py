"""Sheets with known logs are read exactly, or a question is asked: never a wrong log."""

from __future__ import annotations

import pytest

from tests.tallies.generated_files import generate_sheet
from tests.tallies.sheets import BytesSource
from timba.files.processors.base import FileRefused
from timba.tallies.parsing import ROWS, deserialize_rows
from timba.tallies.reading import read_tally


def read(seed: int) -> bool | None:
    """Return whether a plain sheet was read, None for another; fail for a log that is not in it."""
    sheet = generate_sheet(seed)
    try:
        result = read_tally(BytesSource(sheet.content))
    except FileRefused:
        return False if sheet.is_plain else None
    if result.findings["questions"]:
        return False if sheet.is_plain else None
    rows = deserialize_rows(result.objects[ROWS])
    logs = [(log.barcode, *log.measures.values()) for log in rows.logs]
    assert logs == list(sheet.logs), f"seed {seed}"
    return True if sheet.is_plain else None


def share_read(seeds: range) -> float:
    answers = [answer for seed in seeds if (answer := read(seed)) is not None]
    return sum(answers) / len(answers)


def test_random_sheets_are_read_exactly_or_ask() -> None:
    assert share_read(range(150)) >= 0.8


@pytest.mark.slow
def test_a_thousand_random_sheets_are_read_exactly_or_ask() -> None:
    assert share_read(range(1000, 2000)) >= 0.8
