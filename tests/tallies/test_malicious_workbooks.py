"""Malicious and damaged workbooks: each fails with a sentence, and none does any harm."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
from openpyxl.packaging.relationship import Relationship
from openpyxl.workbook.external_link import ExternalLink
from openpyxl.workbook.external_link.external import ExternalBook

from tests.files.samples import MemorySource
from tests.tallies.conftest import Upload
from tests.tallies.sheets import (
    SHEET,
    read_back,
    replace_parts,
    save,
    tally,
    workbook_of_xml,
)
from timba.consignments.models import Log
from timba.files import sandbox
from timba.files.models import File
from timba.files.processing import UNEXPECTED
from timba.files.processors.base import FileRefused
from timba.files.sandbox import TOO_LARGE
from timba.files.storage import store
from timba.tallies.cells import archives
from timba.tallies.cells.archives import (
    BINARY,
    BOMB,
    DAMAGED,
    LOCKED,
    MACROS,
    NO_WORKBOOK,
    STRANGE_XML,
    check_workbook,
)
from timba.tallies.cells.sheet_xml import TOO_WIDE
from timba.tallies.reading import read_tally

ROW = ("B-1", 4.2, 30.5, 25)
BOOK = tally(ROW, ("B-2", "x", 30, 25))
TYPES = "[Content_Types].xml"
# Several times as many as there may be rows with logs.
MANY = 60_000


def types_of(book: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return archive.read(TYPES).decode()


def sheet_of(book: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return archive.read(SHEET).decode()


def with_doctype(doctype: str, encoding: str = "utf-8") -> bytes:
    xml = sheet_of(BOOK).removeprefix("<?xml version='1.0' encoding='utf-8'?>")
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
    with zipfile.ZipFile(content, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET, sheet_of(BOOK))
    return content.getvalue()


MALICIOUS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no part is a workbook": (
        lambda: replace_parts(BOOK, parts={"xl/workbook.xml": None}),
        NO_WORKBOOK,
    ),
    "no types": (lambda: replace_parts(BOOK, parts={TYPES: None}), NO_WORKBOOK),
    "binary": (lambda: replace_parts(BOOK, parts={"xl/workbook.bin": b"\x83\x01\x00"}), BINARY),
    "macros by its types": (
        lambda: replace_parts(
            BOOK,
            parts={
                TYPES: types_of(BOOK).replace(
                    "officedocument.spreadsheetml.sheet.main", "ms-excel.sheet.macroEnabled.main"
                )
            },
        ),
        MACROS,
    ),
    "macros by a part": (lambda: replace_parts(BOOK, parts={"xl/vbaProject.bin": b"x"}), MACROS),
    "locked": (encrypted, LOCKED),
    "cut off": (lambda: BOOK[: len(BOOK) // 2], DAMAGED),
    "duplicate part": (duplicate_part, DAMAGED),
    "another compression method": (
        lambda: replace_parts(BOOK, parts={}, packing=zipfile.ZIP_LZMA),
        DAMAGED,
    ),
    "a thousand parts": (
        lambda: replace_parts(BOOK, parts={f"xl/media/{number}": b"" for number in range(1000)}),
        BOMB,
    ),
    "a bomb": (lambda: replace_parts(BOOK, parts={"xl/media/zeros": bytes(9_000_000)}), BOMB),
    "billion laughs": (
        lambda: with_doctype('<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'),
        STRANGE_XML,
    ),
    "a file from outside": (
        lambda: with_doctype('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
        STRANGE_XML,
    ),
    "entities in UTF-16": (lambda: with_doctype("<!DOCTYPE x []>", "utf-16-le"), STRANGE_XML),
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
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", MALICIOUS)
def test_a_malicious_workbook_is_a_failure_with_its_reason(name: str, upload: Upload) -> None:
    make, sentence = MALICIOUS[name]
    file = upload(make())
    assert (file.status, file.error, file.result) == ("FAILURE", sentence, None)
    assert not Log.unscoped.exists()


@pytest.mark.django_db
def test_a_workbook_above_the_size_limit_is_not_copied(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_BYTES", 1000)
    assert upload(tally(ROW)).error == TOO_LARGE


@pytest.mark.django_db
def test_sizes_in_the_headers_of_parts_are_not_trusted(upload: Upload) -> None:
    content = bytearray(replace_parts(BOOK, parts={"xl/media/zeros": bytes(9_000_000)}))
    size = (9_000_000).to_bytes(4, "little")
    while size in content:
        start = content.index(size)
        content[start : start + 4] = (9).to_bytes(4, "little")
    assert upload(bytes(content)).error in {BOMB, DAMAGED}


def test_a_part_is_decompressed_up_to_the_limit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_INFLATED", 100_000)
    honest = random.Random(7).randbytes(60_000)
    check_workbook(io.BytesIO(replace_parts(BOOK, parts={"xl/media/1": honest})))
    with pytest.raises(FileRefused) as refused:
        check_workbook(io.BytesIO(replace_parts(BOOK, parts={"xl/media/1": honest + honest})))
    assert str(refused.value) == BOMB


def test_a_doctype_across_two_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_CHUNK", 1024)
    noise = random.Random(7).randbytes(512).hex()
    for shift in range(12):
        part = noise[shift:] + "<!DOCTYPE x>" + noise
        with pytest.raises(FileRefused) as refused:
            check_workbook(io.BytesIO(replace_parts(BOOK, parts={"xl/x.xml": part})))
        assert str(refused.value) == STRANGE_XML


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_methods_other_than_deflate_are_refused(packing: int) -> None:
    with pytest.raises(FileRefused) as refused:
        check_workbook(io.BytesIO(replace_parts(BOOK, parts={}, packing=packing)))
    assert str(refused.value) == DAMAGED


def test_a_doctype_in_a_picture_is_accepted() -> None:
    check_workbook(io.BytesIO(replace_parts(BOOK, parts={"xl/media/1.svg": "<!DOCTYPE svg>"})))


@pytest.mark.django_db
def test_many_empty_rows_are_accepted(upload: Upload) -> None:
    header = sheet_of(tally(ROW)).partition("<sheetData>")[2].partition("</sheetData>")[0]
    empty = "".join(
        f'<row r="{row}"><c r="A{row}" s="0"/><c r="D{row}" s="0"/></row>'
        for row in range(3, MANY + 1)
    )
    file = upload(workbook_of_xml(header + empty))
    assert (file.status, file.result["rows"]) == ("SUCCESS", 1)


@pytest.mark.django_db
def test_a_cell_in_the_last_row_of_a_sheet_is_read(upload: Upload) -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    for column, value in enumerate(("B-2", 4, 30, 25), start=1):
        book.worksheets[0].cell(row=1_048_576, column=column).value = value
    assert upload(save(book)).result["accepted"] == 2


@pytest.mark.django_db
def test_external_links_are_never_followed_and_not_copied(upload: Upload) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        address = f"http://127.0.0.1:{canary.getsockname()[1]}/other.xlsx"
        book = openpyxl.load_workbook(io.BytesIO(BOOK))
        link = ExternalLink(externalBook=ExternalBook())
        link.file_link = Relationship(
            type="externalLinkPath", Target=address, TargetMode="External"
        )
        book._external_links.append(link)
        page = book.worksheets[0]
        page["F2"] = "=[1]Sheet1!A1"
        page["G2"] = f'=WEBSERVICE("{address}")'
        page["H2"].hyperlink = address
        file = upload(save(book))
        with pytest.raises(TimeoutError):
            canary.accept()
    assert (file.status, file.result["accepted"]) == ("SUCCESS", 1)
    marked = annotated_copy_of(file)
    with zipfile.ZipFile(io.BytesIO(marked)) as archive:
        assert not [name for name in archive.namelist() if "externalLink" in name]
    assert read_back(marked)["B3"].comment is not None


def annotated_copy_of(file: File) -> bytes:
    derivative = file.derivatives.get(role="annotated")
    with store().open_bytes(derivative.storage_key) as stream:
        return stream.read()


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(15))
def test_a_damaged_workbook_is_settled_and_the_worker_continues(seed: int, upload: Upload) -> None:
    rng = random.Random(seed)
    content = bytearray(BOOK)
    for _ in range(rng.choice((1, 3, 30, 300))):
        content[rng.randrange(4, len(content))] = rng.randrange(256)
    file = upload(bytes(content))
    assert file.processed
    assert (file.status == "SUCCESS") is (file.error == "")
    assert file.error != UNEXPECTED


def test_damaged_xml_raises_nothing_but_a_refusal() -> None:
    rng = random.Random(7)
    for _ in range(150):
        xml = bytearray(sheet_of(BOOK).encode())
        for _ in range(rng.choice((1, 3, 30))):
            xml[rng.randrange(len(xml))] = rng.randrange(32, 127)
        with contextlib.suppress(FileRefused):
            read_tally(MemorySource(replace_parts(BOOK, parts={SHEET: bytes(xml)})))
