"""Reads a CSV as one grid of texts: decides its delimiter, and splits it into rows and cells.

A row that cannot be split, or holds letters that cannot be read, is marked alone: a stray quotation
mark does not swallow the rows below it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from timba.files.columns import MAX_COLUMNS
from timba.files.processors.base import FileRefused
from timba.files.text_encoding import UnknownEncoding, detect_encoding, plausible_encodings
from timba.tallies.cells.cell_values import MAX_TEXT
from timba.tallies.cells.grids import Cell, CellKind, Grid, Row, Workbook
from timba.tallies.cells.sheet_xml import MAX_ROWS, TOO_FULL, FilledCells

TOO_LONG: Final = "Row {row} is too long for a sheet."
BAD_QUOTE: Final = "In row {row}, a quotation mark stands alone. Close it, or double it."
UNREADABLE_LETTER: Final = (
    "Row {row} holds a letter that cannot be read. Save the sheet as CSV UTF-8 and upload that."
)
# Lines of one cell, and cells that are kept of a row that is too long.
MAX_LINES, _SHOWN = 100, 100
# The comma last: where another one fits as well, it is the decimal mark.
DELIMITERS: Final = ("\t", ";", "|", ",")
# The error of a record that a quoted cell has not yet ended.
_OPEN: Final = "open"
_BOM: Final = "\ufeff"
_LOST: Final = "\N{REPLACEMENT CHARACTER}"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NAMED_DELIMITER: Final = re.compile(r"\"?sep=([\t;|,])\"?", re.IGNORECASE)
_QUOTED: Final = re.compile(r'(?:(?<=[\t;|, ])|\A)"[^"]*+(?:""[^"]*+)*+"')
# What keeps a text as it is in a spreadsheet: ="007".
_KEPT_TEXT: Final = re.compile(r'="([^"]*+(?:""[^"]*+)*+)"')
_OPENING: Final = re.compile(r' *"[^"]*+(?:""[^"]*+)*+\Z')


def read_csv(data: bytes, *, encoding: str | None = None) -> Workbook:
    """Return the cells of a CSV, in the given encoding or that in which it certainly is.

    Raises UnknownEncoding if it cannot be told, and FileRefused for a sheet that is too large.
    """
    encoding = encoding or detect_encoding(data)
    if encoding is None:
        raise UnknownEncoding(plausible_encodings(data))
    lines = _LINE_END.split(data.decode(encoding, errors="replace").lstrip(_BOM))
    named = _NAMED_DELIMITER.fullmatch(lines[0].rstrip(" "))
    delimiter = named[1] if named else decide_delimiter(lines)
    # A spreadsheet shows no row for a line that names the delimiter.
    rows = _Rows(lines[1:] if named else lines, delimiter or DELIMITERS[-1])
    grid = Grid(name="", rows=rows.read(), hidden=False, hidden_columns=frozenset(), merged=[])
    return Workbook(grids=[grid], is_csv=True, encoding=encoding, delimiter=delimiter)


def decide_delimiter(lines: Sequence[str]) -> str | None:
    """Return the delimiter by which most of the lines have the same number of cells, or None.

    What stands in quotes does not count. Decimal commas are in many lines too, but at most one in
    each cell, so a comma must explain twice as much as another delimiter.
    """
    unquoted = [_QUOTED.sub("", line) if '"' in line else line for line in lines if line]
    best, best_score = None, 0
    for delimiter in DELIMITERS:
        counts = Counter(line.count(delimiter) for line in unquoted)
        del counts[0]
        score = max((count * number for count, number in counts.items()), default=0)
        score *= 1 if delimiter == "," else 2
        if score > best_score:
            best, best_score = delimiter, score
    return best


@dataclass(frozen=True, slots=True)
class _Record:
    """The cells of a row, the number of lines that it takes, and what is wrong with it, if any.

    `has_mark`: a quotation mark stands within a cell that is not quoted.
    """

    cells: Sequence[str]
    lines: int = 1
    error: str = ""
    is_quoted: bool = False
    has_mark: bool = False


class _Rows:
    """Splits lines into rows by a delimiter."""

    def __init__(self, lines: Sequence[str], delimiter: str) -> None:
        self._lines, self._delimiter = lines, delimiter
        mark = re.escape(delimiter)
        self._cell = re.compile(
            rf"""(?:\ *"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"\ *
            |(?P<kept>="[^"]*+(?:""[^"]*+)*+")\ *
            |(?!\ *")(?P<plain>[^{mark}]*+))(?P<end>{mark}|\Z)""",
            re.VERBOSE,
        )
        counts = Counter(count for line in lines if (count := line.count(delimiter)))
        self._usual_count = max(counts, key=counts.__getitem__, default=1)

    def read(self) -> list[Row]:
        """Return the rows that are not blank; raise FileRefused if there are too many cells."""
        filled = FilledCells()
        records: list[tuple[int, _Record]] = []
        number = start = 0
        while start < len(self._lines):
            number += 1
            if not self._lines[start]:
                start += 1
                continue
            record = _check(self._read_record(start))
            start += record.lines
            filled.add(sum(map(bool, record.cells)))
            if record.error or any(text and not text.isspace() for text in record.cells):
                records.append((number, record))
        if records and records[-1][0] > MAX_ROWS:
            raise FileRefused(TOO_FULL)
        # A sheet without quoted cells may have inch marks; others double them.
        is_quoted = any(record.is_quoted for _, record in records)
        return [_make_row(number, record, is_quoted=is_quoted) for number, record in records]

    def _read_record(self, start: int) -> _Record:
        """Return the record that begins in a line; if a quote in it is stray, that line alone."""
        line = self._lines[start]
        if '"' not in line:
            return _Record(line.split(self._delimiter))
        record = self._split(line)
        if record.error == _OPEN:
            record = self._read_lines(start)
        if record.error:
            return _Record(line.split(self._delimiter), error=BAD_QUOTE, is_quoted=True)
        return record

    def _read_lines(self, start: int) -> _Record:
        """Return a record with a quoted cell that goes on in the next lines."""
        text = self._lines[start]
        for index in range(start + 1, min(start + MAX_LINES, len(self._lines))):
            line = self._lines[index]
            text = f"{text}\n{line}"
            if len(text) > MAX_TEXT:
                break
            if '"' not in line:
                continue
            record = self._split(text)
            if not record.error and not any(map(self._holds_a_row, record.cells)):
                return replace(record, lines=index + 1 - start)
            if record.error != _OPEN:
                break
        return _Record([], error=BAD_QUOTE)

    def _holds_a_row(self, cell: str) -> bool:
        """Return whether a cell has swallowed a line that is a row of the sheet by itself."""
        return any(
            line.count(self._delimiter) >= self._usual_count for line in cell.split("\n")[1:]
        )

    def _split(self, text: str) -> _Record:
        """Return the cells of a record; without them, the error says if a quote is still open."""
        cells: list[str] = []
        position = 0
        is_quoted = has_mark = False
        while match := self._cell.match(text, position):
            plain, quoted = match["plain"] or "", match["quoted"]
            is_quoted = is_quoted or quoted is not None
            has_mark = has_mark or '"' in plain
            cells.append(match["kept"] or plain or (quoted or "").replace('""', '"'))
            position = match.end()
            if not match["end"]:
                return _Record(cells, is_quoted=is_quoted, has_mark=has_mark)
        return _Record([], error=_OPEN if _OPENING.match(text, position) else BAD_QUOTE)


def _check(record: _Record) -> _Record:
    """Return a record, marked if it is too long or has letters that were lost in decoding."""
    if len(record.cells) > MAX_COLUMNS or max(map(len, record.cells)) > MAX_TEXT:
        cells = [text[:MAX_TEXT] for text in record.cells[:_SHOWN]]
        return replace(record, cells=cells, error=TOO_LONG)
    if any(_LOST in text for text in record.cells):
        return replace(record, error=UNREADABLE_LETTER)
    return record


def _make_row(number: int, record: _Record, *, is_quoted: bool) -> Row:
    error = BAD_QUOTE if is_quoted and record.has_mark else record.error
    return Row(number, tuple(map(_make_cell, record.cells)), line_error=error.format(row=number))


def _make_cell(text: str) -> Cell | None:
    if match := _KEPT_TEXT.fullmatch(text):
        text = match[1].replace('""', '"')
    return Cell(CellKind.TEXT, text, text) if text else None
