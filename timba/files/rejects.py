"""Writes CSV whose cells no spreadsheet program runs as formulas.

A spreadsheet takes a text for a formula by how it begins, also behind blanks and quotes, and some
begin a new cell at a semicolon or a line end inside of one. An apostrophe in front keeps it text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

_STARTS: Final = "=+\\-@＝＋－＠"
# What a program may skip before it looks; apostrophes too, so that taking one away again gives
# exactly the text that was there.
_SKIPPED: Final = r"[ \"'`\u00a0\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff]*"
# Negative numbers within a line stay readable: they run nothing.
_NUMBER: Final = r" *[+-]\d[\d.,]* *(?:[;\t\r\n]|\Z)"
_AT_START: Final = re.compile(rf"{_SKIPPED}[{_STARTS}\t\r\n\0]")
_INSIDE: Final = re.compile(rf"(?:;|(?!\A)[\t\r\n])(?!{_NUMBER})(?={_SKIPPED}[{_STARTS}])")


def escape_formula(text: str) -> str:
    """Return `text` with an apostrophe wherever a spreadsheet would see a formula begin."""
    escaped = _INSIDE.sub(r"\g<0>'", text)
    return f"'{escaped}" if _AT_START.match(text) else escaped


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV in UTF-8; texts are escaped, numbers stay numbers."""
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(
        [escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return lines.getvalue().encode()
