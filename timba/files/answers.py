"""Checks the values of answers to a file's questions, for the readers of all kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timba.files.columns import MAX_COLUMNS

# Characters of an unknown name that a sentence quotes.
MAX_QUOTED: Final = 60
ENCODINGS: Final = (
    *("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"),
    *("cp1250", "cp1251", "cp1252", "cp1257"),
)
DECIMALS: Final = (".", ",")


class BadAnswer(ValueError):
    """An answer is not valid; the sentence names its field."""


def one_of(value: Any, choices: Sequence[str], name: str) -> str:
    """Return a value that is one of the choices, or raise BadAnswer."""
    if not isinstance(value, str) or value not in choices:
        raise BadAnswer(f"“{name}” is one of {listed(choices)}.")
    return value


def check_numbers(columns: Mapping[str, Any], name: str) -> None:
    """Raise BadAnswer unless each column is a number from 1, and each another one."""
    fields: dict[int, str] = {}
    for field, number in columns.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise BadAnswer(f"“{name}.{field}” is the number of a column, from 1.")
        if not 1 <= number <= MAX_COLUMNS:
            raise BadAnswer(f"“{name}.{field}” is the number of a column, from 1.")
        if number in fields:
            raise BadAnswer(f"“{name}.{fields[number]}” and “{name}.{field}” are the same column.")
        fields[number] = field


def listed(words: Sequence[str], conjunction: str = "or") -> str:
    """Return one or more words as a sentence lists them: “a, b or c”."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last
