"""Splits a line into its fields, without the blanks and the quotation marks around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Final

from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines.reasons import LineError, Reason, fields_reason

BLANKS = " \t"
_FORMULA: Final = re.compile(r'="(.*)"')


def line_splitter(layout: Layout) -> Callable[[str], list[str]]:
    """Return the function that splits a line of this layout into at least `width` fields.

    It raises LineError for a line with fewer fields, or with more than its extra ones that hold
    something. A line of three plain fields must not have any more, not even an empty one.
    """
    delimiter, width = layout.delimiter, layout.width
    most = width + layout.extra_fields
    may_end_empty = layout.quotes or most != PLAIN.width
    quoted_field = _quoted_field(delimiter)
    reason = fields_reason(layout)

    def split(line: str) -> list[str]:
        if layout.quotes and '"' in line:
            fields = _split_quoted(line, quoted_field)
        else:
            fields = [field.strip(BLANKS) for field in line.split(delimiter)]
        if len(fields) != width and (
            len(fields) < width or not may_end_empty or any(fields[most:])
        ):
            raise LineError(reason)
        return fields

    return split


@lru_cache(maxsize=8)
def _quoted_field(delimiter: str) -> re.Pattern[str]:
    """Return the pattern of one field and the delimiter behind it, or the end of the line.

    A field that begins with a quotation mark, or with `="`, ends with one; a quotation mark inside
    is doubled. Marks in the middle of any other field are part of it.
    """
    blanks = "[" + BLANKS.replace(delimiter, "") + "]*+"
    delimiter = re.escape(delimiter)
    return re.compile(
        rf'{blanks}(?:=?"((?:[^"]|"")*+)"{blanks}|(?!=?")([^{delimiter}]*+))({delimiter}|\Z)'
    )


def split_fields(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line of any layout with this delimiter, however many there are.

    A line whose quotation marks do not match is split as if it had none.
    """
    if '"' in line:
        with suppress(LineError):
            return _split_quoted(line, _quoted_field(delimiter))
    return [field.strip(BLANKS) for field in line.split(delimiter)]


def _split_quoted(line: str, quoted_field: re.Pattern[str]) -> list[str]:
    fields = []
    position, delimiter = 0, " "
    while delimiter:
        match = quoted_field.match(line, position)
        if match is None:
            raise LineError(Reason.QUOTES)
        quoted, bare, delimiter = match.groups()
        fields.append(bare.strip(BLANKS) if quoted is None else _unquote(quoted))
        position = match.end()
    return fields


def _unquote(quoted: str) -> str:
    """Return the text between quotation marks, without the `="…"` that a spreadsheet puts in."""
    text = quoted.replace('""', '"').strip(BLANKS)
    formula = _FORMULA.fullmatch(text)
    return formula[1].strip(BLANKS) if formula else text
