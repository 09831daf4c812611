"""Writes the rejects of a file, and any other text of strangers, so that no spreadsheet runs it.

A spreadsheet takes a text for a formula by its first character, even after blanks and quotation
marks, and some start a new cell at a semicolon or line end within a text. In CSV an apostrophe in
front keeps it a text; in a workbook the cell's type does.

Rejects are the bad lines of a temperature file and the bad rows of a tally. They are stored as CSV
with the columns `line`, `reason` and `text`; the first ones are part of the file's result too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

REJECTS_HEADER: Final = ("line", "reason", "text")
# How many rejects the result of a file shows.
FIRST_ERRORS: Final = 20
# A small archive may hold millions of bad lines: no more rejects and bytes of them are stored.
MAX_REJECTS: Final = 1_000_000
MAX_BYTES: Final = 64 * 1024 * 1024

_TRIGGERS: Final = "=+\\-@＝＋－＠"
# Characters that a spreadsheet may skip before a formula.
_SKIPPED: Final = r"[ \"'`\u00a0\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff]*"
# A signed number within a text runs nothing and is left readable.
_NUMBER: Final = r" *[+-]\d[\d.,]* *(?:[;\t\r\n]|\Z)"
_FORMULA: Final = re.compile(rf"{_SKIPPED}[{_TRIGGERS}\t\r\n\0]")
_FORMULA_WITHIN: Final = re.compile(
    rf"(?:;|(?!\A)[\t\r\n])(?!{_NUMBER})(?={_SKIPPED}[{_TRIGGERS}])"
)
# What `_FORMULA_WITHIN` begins with: looking for it alone is several times as fast.
_SEPARATOR: Final = re.compile(r"[;\t\r\n]")
# What CSV has only between quotation marks.
_QUOTED: Final = re.compile(r'[,"\r\n]')
# Control characters that XML 1.0, and so a workbook, cannot hold.
_NOT_IN_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class RejectsWriter:
    """Writes rejects as CSV to `sink`, in order, up to a number of rejects and of bytes.

    After the first reject that exceeds a limit none is written, so that there is no gap. `count` is
    the number of rejects written.
    """

    def __init__(
        self, sink: io.RawIOBase, *, max_rejects: int = MAX_REJECTS, max_bytes: int = MAX_BYTES
    ) -> None:
        self.count = 0
        self._sink, self._max_rejects = sink, max_rejects
        self._bytes_left, self._is_full = max_bytes, False
        self._write(csv_lines([REJECTS_HEADER]))

    def add(self, rejects: Sequence[Sequence[object]]) -> None:
        """Write (line, reason, text) of these rejects, or of the first of them that fit."""
        if self._is_full or not rejects:
            return
        lines = csv_lines(rejects)
        if self.count + len(rejects) <= self._max_rejects and len(lines) <= self._bytes_left:
            self.count += len(rejects)
            self._write(lines)
            return
        self._is_full = True
        for reject in rejects[: self._max_rejects - self.count]:
            line = csv_lines([reject])
            if len(line) > self._bytes_left:
                return
            self.count += 1
            self._write(line)

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._bytes_left -= len(data)


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV in UTF-8 with CRLF; texts are escaped, numbers stay numbers."""
    cells = _TextCells()
    lines = [
        ",".join([cells[cell] if isinstance(cell, str) else str(cell) for cell in row]) + "\r\n"
        for row in rows
    ]
    return "".join(lines).encode()


class _TextCells(dict[str, str]):
    """Texts as they are written in CSV: thousands of rejects have the same reason."""

    def __missing__(self, text: str) -> str:
        cell = escape_formula(text)
        if _QUOTED.search(cell):
            cell = '"' + cell.replace('"', '""') + '"'
        self[text] = cell
        return cell


def escape_formula(text: str) -> str:
    """Return `text` with an apostrophe wherever a spreadsheet would see a formula begin."""
    escaped = _FORMULA_WITHIN.sub(r"\g<0>'", text) if _SEPARATOR.search(text) else text
    return f"'{escaped}" if runs_as_formula(text) else escaped


def runs_as_formula(text: str) -> bool:
    """Whether a spreadsheet would take the whole text for a formula."""
    return _FORMULA.match(text) is not None


def xlsx_text(text: str) -> str:
    """Return `text` with a replacement character for each one that a workbook cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def set_xlsx_text(cell: Any, text: str) -> None:
    """Make `text` the value of an openpyxl cell, as a text even where it begins as a formula."""
    cell.value = xlsx_text(text)
    # openpyxl has made a formula of a text that begins with an equals sign.
    cell.data_type = "s"
