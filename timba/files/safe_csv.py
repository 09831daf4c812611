"""Writes CSV that is safe from formula injection.

A spreadsheet program takes a text for a formula by its first character, even after blanks and
quotes, and some programs begin a new cell at a semicolon or a line end inside a cell. A leading
apostrophe keeps a cell text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

_STARTS: Final = "=+\\-@＝＋－＠"
# Characters that a program may skip before the formula. They include apostrophes, so that removing
# one restores exactly the original text.
_SKIPPED: Final = r"[ \"'`\u00a0\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff]*"
# Signed numbers inside a text are harmless, and stay readable.
_NUMBER: Final = r" *[+-]\d[\d.,]* *(?:[;\t\r\n]|\Z)"
_AT_START: Final = re.compile(rf"{_SKIPPED}[{_STARTS}\t\r\n\0]")
_INSIDE: Final = re.compile(rf"(?:;|(?!\A)[\t\r\n])(?!{_NUMBER})(?={_SKIPPED}[{_STARTS}])")


def escape_formula(text: str) -> str:
    """Return `text` with an apostrophe wherever a spreadsheet program would begin a formula."""
    escaped = _INSIDE.sub(r"\g<0>'", text)
    return f"'{escaped}" if _AT_START.match(text) else escaped


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV in UTF-8 with CRLF; strings are escaped, numbers are not."""
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(
        [escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return lines.getvalue().encode()
