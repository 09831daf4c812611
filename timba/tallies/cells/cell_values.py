"""Makes cells of what a workbook stores: a type, a text and the number of a style.

A number that is formatted as a date is a date. Equal cells are one object, because a sheet repeats
most of its values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from timba.files.processors.base import FileRefused
from timba.tallies.cells.archives import DAMAGED
from timba.tallies.cells.grids import Cell, CellKind
from timba.tallies.cells.number_formats import DateParts, NumberFormat
from timba.tallies.cells.workbook_xml import TRUE

# The longest text that a cell of a spreadsheet can hold.
MAX_TEXT: Final = 32_767
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?", re.ASCII
)
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Whole numbers up to here are written out.
_MAX_WHOLE: Final = 10**16
# Days are counted from here: Excel's calendar has a 29 February 1900, which is day 60.
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets have no time zones
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_LEAP_DAY: Final = 60
_DAY_MILLISECONDS: Final = 24 * 60 * 60 * 1000
_MAX_CACHED: Final = 50_000

Value = Decimal | date | datetime | time | timedelta


class CellMaker:
    """Makes the cells of a workbook from its shared strings, formats by style, and calendar."""

    def __init__(
        self, *, strings: Sequence[str], formats: Sequence[NumberFormat], is_1904: bool
    ) -> None:
        self._strings, self._formats = strings, formats
        self._epoch = _EPOCH_1904 if is_1904 else _EPOCH
        self._cells: dict[tuple[str, str, int], Cell | None] = {}

    def make(self, kind: str, text: str, style: int, formula: str | None) -> Cell | None:
        """Return the cell of a type such as `s`, with what is stored, or None if it shows nothing.

        Raises FileRefused if what it refers to is not there.
        """
        if formula is not None:
            if kind != "str" and not text.strip():
                return Cell(CellKind.ERROR, "", "", formula=formula)
            cell = self._make(kind, text, style)
            if cell is None:
                return None
            return Cell(cell.kind, cell.value, cell.text, formula, cell.number_format)
        if text == "":
            return None
        key = (kind, text, style)
        try:
            return self._cells[key]
        except KeyError:
            cell = self._make(kind, text, style)
            if len(self._cells) < _MAX_CACHED:
                self._cells[key] = cell
            return cell

    def _make(self, kind: str, text: str, style: int) -> Cell | None:
        if kind in {"str", "inlineStr"}:
            return self._make_text(unescape(text), style)
        text = text.strip()
        if kind == "s":
            return self._make_text(self._shared_string(text), style)
        if kind == "b":
            is_true = text.lower() in TRUE
            return Cell(CellKind.BOOLEAN, is_true, "TRUE" if is_true else "FALSE")
        if kind == "d":
            value = _parse_iso(text)
            return _error(text) if value is None else _date(value)
        number = parse_number(text) if kind == "n" else None
        return _error(text) if number is None else self._make_number(number, style)

    def _make_text(self, text: str, style: int) -> Cell | None:
        if text == "":
            return None
        return Cell(CellKind.TEXT, text, self._format(style).show_text(text))

    def _make_number(self, number: Decimal, style: int) -> Cell:
        number_format = self._format(style)
        parts = number_format.date_parts(number)
        if parts is not None:
            value = _parse_date(number, parts, self._epoch)
            return _error(str(number)) if value is None else _date(value)
        code = "" if number_format.is_general else number_format.code
        return Cell(CellKind.NUMBER, number, number_format.show(number), number_format=code)

    def _format(self, style: int) -> NumberFormat:
        """Return the format of a style; the last one, which is General, of one that is missing."""
        return self._formats[style if 0 <= style < len(self._formats) else -1]

    def _shared_string(self, text: str) -> str:
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(self._strings):
            return self._strings[int(text)]
        raise FileRefused(DAMAGED)


def unescape(text: str) -> str:
    """Return a text with the characters that stand as `_x000D_` because XML cannot hold them."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda match: _character(match[1]) or match[0], text)


def parse_number(text: str) -> Decimal | None:
    """Return the shortest decimal that stands for a stored float, or None if it is no number."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    if not math.isfinite(number):
        return None
    if number.is_integer() and abs(number) < _MAX_WHOLE:
        return Decimal(int(number))
    return Decimal(repr(number))


def _character(code: str) -> str:
    character = chr(int(code, 16))
    return "" if "\ud800" <= character <= "\udfff" else character


def _error(text: str) -> Cell:
    return Cell(CellKind.ERROR, text, text)


def _date(value: date | datetime | time | timedelta) -> Cell:
    text = str(value) if isinstance(value, timedelta | datetime) else value.isoformat()
    return Cell(CellKind.DATE, value, text)


def _parse_date(
    days: Decimal, parts: DateParts, epoch: datetime
) -> date | datetime | time | timedelta | None:
    """Return the date of a number of days, or None if the calendar does not have it."""
    try:
        # Spreadsheets keep times to a millisecond.
        span = timedelta(milliseconds=round(days * _DAY_MILLISECONDS))
        if parts.duration:
            return span
        if days < 0:
            return None
        if span < timedelta(days=1):
            return (epoch + span).time()
        if span < timedelta(days=_LEAP_DAY) and epoch == _EPOCH:
            span += timedelta(days=1)
        moment = epoch + span
    except (OverflowError, ArithmeticError):
        return None
    is_day = parts.day and not parts.time and moment.time() == time.min
    return moment.date() if is_day else moment


def _parse_iso(text: str) -> date | datetime | time | None:
    """Return the date of a cell that stores one as text; spreadsheets have no time zones."""
    with suppress(ValueError):
        return date.fromisoformat(text)
    with suppress(ValueError):
        return time.fromisoformat(text).replace(tzinfo=None)
    with suppress(ValueError):
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return None
