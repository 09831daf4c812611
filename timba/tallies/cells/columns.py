"""The names of a sheet's columns, as spreadsheets show them."""

from __future__ import annotations


def column_letters(index: int) -> str:
    """Return the letters of a column in a spreadsheet: A for 0, AA for 26."""
    letters = ""
    number = index + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
