"""Builds tally sheets, good and bad, part by part where no library would write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import openpyxl

HEADER = ("Barcode", "Length (m)", "Breadth (cm)", "Height (cm)")
SHEET = "xl/worksheets/sheet1.xml"
_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRICT = {
    _NAMESPACE: "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        "http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
}


@dataclass(frozen=True)
class BytesSource:
    """A file in memory, without answers or profiles."""

    content: bytes

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)

    def open_extra(self) -> BinaryIO:
        return io.BytesIO(b"{}")


def workbook(*rows: Sequence[Any]) -> bytes:
    """Return a workbook whose sheet “Tally” has these rows, from row 1 on."""
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Tally"
    for row in rows:
        book.worksheets[0].append(row)
    return save(book)


def tally(*rows: Sequence[Any]) -> bytes:
    """Return a workbook with the usual header and these logs from row 2 on."""
    return workbook(HEADER, *rows)


def save(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def replace_parts(
    book: bytes, *, parts: Mapping[str, bytes | str | None], packing: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a workbook with these parts replaced, added or, where they are None, removed."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(content, "w", packing) as new:
        for part in old.namelist():
            if part not in parts:
                new.writestr(part, old.read(part))
        for part, data in parts.items():
            if data is not None:
                new.writestr(part, data)
    return content.getvalue()


def strict(book: bytes) -> bytes:
    """Return a workbook as “Strict Open XML”, whose namespaces are others."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        parts = {
            name: archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith("xl/") and name.endswith((".xml", ".rels"))
        }
    for namespace, other in _STRICT.items():
        parts = {name: xml.replace(namespace, other) for name, xml in parts.items()}
    return replace_parts(book, parts=parts)


def workbook_of_xml(xml: str) -> bytes:
    """Return a workbook whose sheet has these rows of XML."""
    sheet = f'<worksheet xmlns="{_NAMESPACE}"><sheetData>{xml}</sheetData></worksheet>'
    return replace_parts(tally(), parts={SHEET: sheet})


def read_back(content: bytes) -> Any:
    """Return the first sheet of a workbook."""
    return openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
