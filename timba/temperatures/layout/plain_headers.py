"""Tells the header of a plain file from its first reading: it holds three names of columns."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from timba.temperatures.layout.layouts import PLAIN, PLAIN_FIELDS, Layout

# The name of a column: it begins with a letter, and may have a unit and quotes.
_NAME: Final = re.compile(r"""(["']?)[^\W\d_][\w .:/%°()\[\]-]{0,62}\1""")
_MISSING_VALUES: Final = frozenset(
    ("inf", "infinity", "n/a", "na", "nan", "nil", "none", "null"),
)


def plain_layout(head: bytes) -> Layout:
    """Return the plain layout of a file that begins with `head`, with its header if it has one."""
    line = head.decode(errors="replace").lstrip("\ufeff").partition("\n")[0]
    return replace(PLAIN, skipped_lines=int(is_plain_header(line.removesuffix("\r"))))


def is_plain_header(line: str) -> bool:
    """Return whether a line holds the names of three columns."""
    names = [name.strip(" \t") for name in line.split(PLAIN.delimiter)]
    return len(names) == len(PLAIN_FIELDS) and all(map(is_column_name, names))


def is_column_name(text: str) -> bool:
    """Return whether a text may be the name of a column, and is not a missing value."""
    return _NAME.fullmatch(text) is not None and text.lower() not in _MISSING_VALUES
