"""Malicious and damaged workbooks: each fails with a sentence, and none does any harm."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import zipfile

import openpyxl
import pytest
from openpyxl.packaging.relationship import Relationship
from openpyxl.workbook.external_link import ExternalLink
from openpyxl.workbook.external_link.external import ExternalBook

from tests.files.malicious_workbooks import BOOK, ROW, part_of
from tests.files.samples import MemorySource
from tests.tallies.conftest import Upload
from tests.tallies.sheets import (
    SHEET,
    read_back,
    replace_parts,
    save,
    tally,
)
from timba.files import sandbox
from timba.files.models import File
from timba.files.processing import UNEXPECTED
from timba.files.processors.base import FileRefused
from timba.files.sandbox import TOO_LARGE
from timba.files.storage import store
from timba.tallies.cells import archives
from timba.tallies.cells.archives import (
    BOMB,
    STRANGE_XML,
    check_workbook,
)
from timba.tallies.reading import read_tally


@pytest.mark.django_db
def test_a_workbook_above_the_size_limit_is_not_copied(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_BYTES", 1000)
    assert upload(tally(ROW)).error == TOO_LARGE


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


def test_a_doctype_in_a_picture_is_accepted() -> None:
    check_workbook(io.BytesIO(replace_parts(BOOK, parts={"xl/media/1.svg": "<!DOCTYPE svg>"})))


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
        xml = bytearray(part_of(BOOK, SHEET).encode())
        for _ in range(rng.choice((1, 3, 30))):
            xml[rng.randrange(len(xml))] = rng.randrange(32, 127)
        with contextlib.suppress(FileRefused):
            read_tally(MemorySource(replace_parts(BOOK, parts={SHEET: bytes(xml)})))
