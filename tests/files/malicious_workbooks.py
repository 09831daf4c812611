"""Workbooks that attack their reader: ZIP and XML bombs, entities, macros and damage."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import partial

from tests.files.malicious_photos import SCRIPT
from tests.files.samples import Outcome
from tests.tallies.sheets import SHEET, replace_parts, tally, workbook_of_xml
from timba.files.sandbox_child import OUT_OF_MEMORY
from timba.tallies.cells.archives import (
    BINARY,
    BOMB,
    DAMAGED,
    LOCKED,
    MACROS,
    NO_WORKBOOK,
    STRANGE_XML,
)
from timba.tallies.cells.sheet_xml import TOO_FULL, TOO_MANY_MERGED, TOO_WIDE

ROW = ("B-1", 4.2, 30.5, 25)
BOOK = tally(ROW, ("B-2", "x", 30, 25))
TYPES = "[Content_Types].xml"
RELATIONSHIPS = "xl/_rels/workbook.xml.rels"
ONE_LOG: Outcome = {"accepted": 1, "rejected": 1}
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def part_of(book: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return archive.read(name).decode()


def with_types(old: str, new: str) -> bytes:
    return replace_parts(BOOK, parts={TYPES: part_of(BOOK, TYPES).replace(old, new)})


def with_doctype(doctype: str, encoding: str = "utf-8") -> bytes:
    xml = part_of(BOOK, SHEET).removeprefix("<?xml version='1.0' encoding='utf-8'?>")
    whole = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{xml}'
    return replace_parts(BOOK, parts={SHEET: whole.encode(encoding)})


def encrypted() -> bytes:
    """Return a workbook with a part that is flagged as encrypted."""
    book = bytearray(BOOK)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        book[book.index(mark) + flags] |= 1
    return bytes(book)


def duplicate_part() -> bytes:
    content = io.BytesIO(BOOK)
    with zipfile.ZipFile(content, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr(SHEET, part_of(BOOK, SHEET))
    return content.getvalue()


def overlapping() -> bytes:
    """Return a workbook with a bomb that a thousand entries of its directory share."""
    book = replace_parts(BOOK, parts={"xl/media/x": bytes(500_000)})
    start, end = book.index(b"PK\1\2"), book.index(b"PK\5\6")
    directory = book[start:end]
    entry = directory[directory.rindex(b"PK\1\2") :]
    directory += b"".join(entry[:-1] + bytes([number]) for number in range(128, 228)) * 9
    count = directory.count(b"PK\1\2")
    facts = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
    return book[:start] + directory + b"PK\5\6" + facts


def understated_size() -> bytes:
    """Return a bomb whose part claims to be nine bytes."""
    content = replace_parts(BOOK, parts={"xl/media/zeros": bytes(9_000_000)})
    return content.replace(struct.pack("<I", 9_000_000), struct.pack("<I", 9))


def empty_rows(count: int) -> bytes:
    """Return a tally of one log, and so many rows of cells with a style and no value."""
    cells = part_of(tally(ROW), SHEET).partition("<sheetData>")[2].partition("</sheetData>")[0]
    rows = "".join(
        f'<row r="{row}"><c r="A{row}" s="0"/><c r="D{row}" s="0"/></row>'
        for row in range(3, count + 1)
    )
    return workbook_of_xml(cells + rows)


def full_rows(count: int) -> bytes:
    return workbook_of_xml(
        "".join(
            f'<row r="{row}"><c r="A{row}"><v>1</v></c><c r="B{row}"><v>1</v></c></row>'
            for row in range(1, count + 1)
        )
    )


def with_xml(xml: str, *, before: str = "</worksheet>") -> bytes:
    """Return a workbook with more XML in its sheet, one row of which is annotated."""
    return replace_parts(BOOK, parts={SHEET: part_of(BOOK, SHEET).replace(before, xml + before)})


def merged_cells(count: int) -> bytes:
    cells = "".join(f'<mergeCell ref="F{row}:G{row}"/>' for row in range(5, count + 5))
    return with_xml(f"<mergeCells>{cells}</mergeCells>")


def shared_strings(count: int, text: str) -> bytes:
    strings = f'<sst xmlns="{NAMESPACE}">' + f"<si><t>{text}</t></si>" * count + "</sst>"
    relationship = (
        '<Relationship Id="rId77" Target="sharedStrings.xml" Type="http://schemas.openxmlformats.org'
        '/officeDocument/2006/relationships/sharedStrings"/></Relationships>'
    )
    named = part_of(BOOK, RELATIONSHIPS).replace("</Relationships>", relationship)
    return replace_parts(BOOK, parts={"xl/sharedStrings.xml": strings, RELATIONSHIPS: named})


def number_formats(count: int) -> bytes:
    numbers = range(200, 200 + count)
    code = "[Red]" + "0?#," * 240
    formats = "".join(f'<numFmt numFmtId="{n}" formatCode="{code}{n}"/>' for n in numbers)
    styles = "".join(f'<xf numFmtId="{n}"/>' for n in numbers)
    xml = f"<numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs>"
    xml = f'<styleSheet xmlns="{NAMESPACE}">{xml}</styleSheet>'
    return replace_parts(BOOK, parts={"xl/styles.xml": xml})


def many_sheets(count: int) -> bytes:
    """Return a workbook that lists its one sheet so many times."""
    xml = part_of(BOOK, "xl/workbook.xml")
    sheet = xml[xml.index("<sheet ") : xml.index("</sheets>")]
    return replace_parts(BOOK, parts={"xl/workbook.xml": xml.replace(sheet, sheet * count)})


def nested_archives(depth: int) -> bytes:
    inner = BOOK
    for _ in range(depth):
        inner = replace_parts(BOOK, parts={"xl/media/inner.zip": inner})
    return inner


# By a description: the bytes, and the outcome.
MALICIOUS_WORKBOOKS: dict[str, tuple[Callable[[], bytes], Outcome]] = {
    "no part is a workbook": (
        lambda: replace_parts(BOOK, parts={"xl/workbook.xml": None}),
        NO_WORKBOOK,
    ),
    "no types": (lambda: replace_parts(BOOK, parts={TYPES: None}), NO_WORKBOOK),
    "binary": (lambda: replace_parts(BOOK, parts={"xl/workbook.bin": b"\x83\1\0"}), BINARY),
    "macros by its types": (
        lambda: with_types(
            "officedocument.spreadsheetml.sheet.main", "ms-excel.sheet.macroEnabled.main"
        ),
        MACROS,
    ),
    "macros by a part": (lambda: replace_parts(BOOK, parts={"xl/vbaProject.bin": b"x"}), MACROS),
    "locked": (encrypted, LOCKED),
    "cut off": (lambda: BOOK[: len(BOOK) // 2], DAMAGED),
    "duplicate part": (duplicate_part, DAMAGED),
    "LZMA": (lambda: replace_parts(BOOK, parts={}, packing=zipfile.ZIP_LZMA), DAMAGED),
    "BZIP2": (lambda: replace_parts(BOOK, parts={}, packing=zipfile.ZIP_BZIP2), DAMAGED),
    "a thousand parts": (
        lambda: replace_parts(BOOK, parts={f"xl/media/{n}": b"" for n in range(1_000)}),
        BOMB,
    ),
    "70,000 parts": (
        lambda: replace_parts(BOOK, parts={f"xl/media/{n}": b"" for n in range(70_000)}),
        BOMB,
    ),
    "parts that overlap": (overlapping, DAMAGED),
    "a bomb": (lambda: replace_parts(BOOK, parts={"xl/media/zeros": bytes(9_000_000)}), BOMB),
    "a bomb that understates its size": (understated_size, DAMAGED),
    "workbooks within workbooks": (partial(nested_archives, 50), ONE_LOG),
    "a sheet of 100 MB": (lambda: with_xml("<x>" + "y" * 10**8 + "</x>"), BOMB),
    "parts that lead out of the archive": (
        lambda: replace_parts(
            BOOK, parts={"../../../etc/passwd": b"x", "/etc/passwd": b"x", "C:\\x": b"x"}
        ),
        ONE_LOG,
    ),
    "billion laughs": (
        lambda: with_doctype('<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'),
        STRANGE_XML,
    ),
    "a file from outside": (
        lambda: with_doctype('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
        STRANGE_XML,
    ),
    "entities in UTF-16": (lambda: with_doctype("<!DOCTYPE x []>", "utf-16-le"), STRANGE_XML),
    "entities in UTF-7": (lambda: with_doctype("<!DOCTYPE x []>", "utf-7"), STRANGE_XML),
    "a cell at the far end": (
        lambda: workbook_of_xml('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        TOO_WIDE.format(cell="XFD1048576"),
    ),
    "no XML": (lambda: replace_parts(BOOK, parts={SHEET: "<worksheet><sheetData>"}), DAMAGED),
    "nonsense": (lambda: replace_parts(BOOK, parts={SHEET: b"\x00\xff" * 99}), DAMAGED),
    "a string that is not there": (
        lambda: workbook_of_xml('<row><c r="A1" t="s"><v>999</v></c></row>'),
        DAMAGED,
    ),
    "60,000 empty rows": (partial(empty_rows, 60_000), {"accepted": 1, "rejected": 0}),
    "a million empty rows": (partial(empty_rows, 1_048_576), {"accepted": 1, "rejected": 0}),
    "a million rows of numbers": (partial(full_rows, 1_048_576), TOO_FULL),
    "rows beyond the last": (
        lambda: workbook_of_xml('<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'),
        DAMAGED,
    ),
    "1.1 million shared strings": (partial(shared_strings, 1_100_000, "x"), BOMB),
    "shared strings of 150 MB": (partial(shared_strings, 5_000, "x" * 30_000), BOMB),
    "elements within elements": (
        lambda: with_xml("".join(f"<x{n}>" for n in range(300_000))),
        DAMAGED,
    ),
    "300,000 attributes": (
        lambda: with_xml("<x " + " ".join(f'a{n}="1"' for n in range(300_000)) + "/>"),
        ONE_LOG,
    ),
    "110,000 merged cells": (partial(merged_cells, 110_000), TOO_MANY_MERGED),
    "90,000 merged cells": (partial(merged_cells, 90_000), ONE_LOG),
    "a merged range of all cells": (
        lambda: with_xml('<mergeCells><mergeCell ref="F5:XFD1048576"/></mergeCells>'),
        ONE_LOG,
    ),
    "a million columns": (
        lambda: with_xml('<col min="1" max="16384" width="9"/>' * 10**6, before="<sheetData>"),
        ONE_LOG,
    ),
    "60,000 number formats": (partial(number_formats, 60_000), OUT_OF_MEMORY),
    "a thousand sheets that are one": (partial(many_sheets, 1_000), DAMAGED),
    "workbook and HTML": (lambda: BOOK + SCRIPT.encode(), ONE_LOG),
}
