"""Makes tally sheets of every sort, good and bad, part by part where no library would."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl

HEADER = ("Barcode", "Length (m)", "Breadth (cm)", "Height (cm)")
_SHEET = "xl/worksheets/sheet1.xml"
_BEFORE = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_AFTER = "</sheetData></worksheet>"


class Bytes:
    """A source in memory, with an extra input."""

    def __init__(
        self, content: bytes | str, extra: bytes = b"", *, name: str = "tally.xlsx"
    ) -> None:
        self.name = name
        self._content = content.encode() if isinstance(content, str) else content
        self._extra = extra
        self.size = len(self._content)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._content)

    def open_extra(self) -> io.BytesIO:
        return io.BytesIO(self._extra)


def workbook(*rows: Sequence[Any], name: str = "Tally") -> bytes:
    """Return a workbook of these rows, the first of them in row 1."""
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.title = name
    for row in rows:
        page.append(row)
    return saved(book)


def tally(*rows: Sequence[Any]) -> bytes:
    """Return a workbook of these logs under the usual header, the first of them in row 2."""
    return workbook(HEADER, *rows)


def saved(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def rewritten(
    book: bytes, *, parts: Mapping[str, bytes | str | None], packing: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a workbook with these parts in place of its own, or beside them; None: without it."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(content, "w", packing) as new:
        for part in old.namelist():
            if part not in parts:
                new.writestr(part, old.read(part))
        for part, data in parts.items():
            if data is not None:
                new.writestr(part, data)
    return content.getvalue()


def with_sheet(xml: str) -> bytes:
    """Return a workbook whose sheet is made of these rows as XML."""
    return rewritten(tally(), parts={_SHEET: _BEFORE + xml + _AFTER})


def read_back(content: bytes) -> Any:
    """Return the first sheet of a workbook."""
    return openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
