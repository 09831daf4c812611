"""The columns of a sheet: how many it can have, and their names as spreadsheets show them."""

from __future__ import annotations

from typing import Final

# As many as Excel allows.
MAX_COLUMNS: Final = 16_384


def column_letters(index: int) -> str:
    """Return the letters of a column in a spreadsheet: A for 0, AA for 26."""
    letters = ""
    number = index + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
