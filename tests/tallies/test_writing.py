"""Exports of a consignment: exact, safe in a spreadsheet, ready to be printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import openpyxl
import pypdfium2
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image
from python_calamine import CalamineWorkbook

from timba.tallies.exporting.pdf import write_pdf
from timba.tallies.exporting.spreadsheets import XLSX_HEADER, write_csv, write_xlsx
from timba.tallies.exporting.tally import Tally, TallyLog

OPENED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
EXPORTED = datetime(2026, 3, 3, 9, 5, tzinfo=UTC)
TRIGGERS = ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\0=1", "＝1", "＋1", "－1", "＠1"]


def log(barcode: str = "TB-1", volume: str = "0.323") -> TallyLog:
    measures = (Decimal("4.230"), Decimal("30.500"), Decimal("25.000"))
    return TallyLog(barcode, *measures, Decimal(volume))


def tally(*logs: TallyLog, **details: Any) -> Tally:
    defaults = {
        "client": "SIA Kalnamuiža",
        "name": "Lorry 7: ozoli, bērzi, ķļņšūž",
        "type": "hardwood",
        "vehicle_number": "LV-1234",
        "city": "Rīga (7)",
    }
    return Tally(**{**defaults, **details}, opened_at=OPENED, exported_at=EXPORTED, logs=logs)


def written(write: Callable[..., None], exported: Tally) -> bytes:
    out = io.BytesIO()
    write(exported, out)
    return out.getvalue()


def sheet_of(exported: Tally) -> Worksheet:
    book = openpyxl.load_workbook(io.BytesIO(written(write_xlsx, exported)))
    return book.worksheets[0]


def pages_of(exported: Tally) -> list[str]:
    document = pypdfium2.PdfDocument(written(write_pdf, exported))
    return [page.get_textpage().get_text_bounded() for page in document]


# --- CSV -----------------------------------------------------------------------------------------


def test_a_csv_has_a_byte_order_mark_a_header_and_one_line_for_each_log() -> None:
    assert written(write_csv, tally(log("A", "0.323"), log("Ē, “2”", "1.000"))).decode() == (
        "\ufeffbarcode,length,breadth,height,volume\r\n"
        "A,4.230,30.500,25.000,0.323\r\n"
        '"Ē, “2”",4.230,30.500,25.000,1.000\r\n'
    )


def test_a_csv_with_decimal_commas_has_semicolons() -> None:
    write = partial(write_csv, decimal=",")
    assert written(write, tally(log("A,B", "1234.5"), log("1.2"))).decode() == (
        "\ufeffbarcode;length;breadth;height;volume\r\n"
        '"A,B";4,230;30,500;25,000;1234,5\r\n'
        "'1.2;4,230;30,500;25,000;0,323\r\n"
    )


@pytest.mark.parametrize("text", [*TRIGGERS, "'=1", "00042", "1E5", "1-2", "TRUE"])
def test_what_a_spreadsheet_would_change_or_run_has_an_apostrophe(text: str) -> None:
    content = written(write_csv, tally(log(text))).decode("utf-8-sig")
    [_, row] = csv.reader(io.StringIO(content, newline=""))
    assert row[0] == f"'{text}"


@pytest.mark.parametrize("text", ["TB-1", "a=b", "'", "'t Woud", "12345678901"])
def test_harmless_texts_are_unchanged(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(written(write_csv, tally(log(text))).decode()))
    assert row[0] == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_barcode_is_one_cell_whatever_separates_the_fields(delimiter: str) -> None:
    content = written(write_csv, tally(log("a;=1"), log("b\t=1"), log('c";=1'))).decode("utf-8-sig")
    cells = [row[0] for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)]
    first = [cell.partition(",4.230")[0] for cell in cells[1:]]
    assert first == ["a;=1", "b\t=1", 'c";=1']


# --- XLSX ----------------------------------------------------------------------------------------


def test_a_workbook_has_details_logs_and_their_total() -> None:
    sheet = sheet_of(tally(log("A", "0.323"), log("B", "1.001")))
    rows = [[cell for cell in row if cell is not None] for row in sheet.values]
    assert rows == [
        ["Lorry 7: ozoli, bērzi, ķļņšūž"],
        ["Client", "SIA Kalnamuiža"],
        ["Type", "Hardwood"],
        ["Vehicle", "LV-1234"],
        ["City", "Rīga (7)"],
        ["Registered", "2026-03-02 08:00 UTC"],
        ["Exported", "2026-03-03 09:05 UTC"],
        ["Logs", 2],
        ["Volume", 1.324],
        [],
        list(XLSX_HEADER),
        [1, "A", 4.23, 30.5, 25, 0.323],
        [2, "B", 4.23, 30.5, 25, 1.001],
        ["Total", 1.324],
    ]
    assert sheet.freeze_panes == "A12"
    assert sheet.print_title_rows == "$11:$11"


def test_times_are_in_the_zone_of_the_client() -> None:
    exported = tally(log(), time_zone="Europe/Riga")
    rows = {name: value for name, value, *_ in sheet_of(exported).values}
    assert rows["Registered"] == "2026-03-02 10:00 Europe/Riga (UTC+2)"
    assert "Exported 2026-03-03 11:05 Europe/Riga (UTC+2)" in pages_of(exported)[0]


def test_empty_details_are_left_out() -> None:
    sheet = sheet_of(tally(vehicle_number="", city=""))
    assert [name for name, *_ in sheet.values][1:4] == ["Client", "Type", "Registered"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "＝1", "1001", "2026-03-02"])
def test_in_a_workbook_texts_are_texts_and_numbers_are_numbers(text: str) -> None:
    sheet = sheet_of(tally(log(text), name=text, client=text))
    cells = {cell.coordinate: cell for row in sheet.iter_rows() for cell in row}
    assert [(cells[at].value, cells[at].data_type) for at in ("A1", "B2", "B12")] == [
        (text, "s")
    ] * 3
    assert {cells[f"{letter}12"].data_type for letter in "ACDEF"} == {"n"}
    content = io.BytesIO(written(write_xlsx, tally(log(text))))
    row = CalamineWorkbook.from_filelike(content).get_sheet_by_index(0).to_python()[11]
    assert row == [1.0, text, 4.23, 30.5, 25.0, 0.323]


def test_control_characters_are_replaced_in_a_workbook() -> None:
    assert sheet_of(tally(log("A\x01B"), name="x\x0by"))["A1"].value == "x\ufffdy"


# --- PDF -----------------------------------------------------------------------------------------


def test_a_pdf_shows_everything_in_every_alphabet() -> None:
    [page] = pages_of(tally(log("TB-ēģīķļņšūž"), log("B", "1234.001")))
    for text in (
        "SIA Kalnamuiža",
        "Lorry 7: ozoli, bērzi, ķļņšūž",
        "Rīga (7)",
        "2 logs, 1,234.324 m³",
        "1 TB-ēģīķļņšūž 4.230 30.500 25.000 0.323",
        "Total 2 logs 1,234.324",
        "Page 1 of 1",
    ):
        assert text in page


@pytest.mark.parametrize("count", [0, 1, 39, 40, 89, 90, 200])
def test_every_page_has_its_header_and_number_and_no_log_is_lost(count: int) -> None:
    pages = pages_of(tally(*(log(f"TB-{number}-") for number in range(count))))
    log_count = "1 log," if count == 1 else f"{count} logs,"
    assert log_count in pages[0]
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Volume, m³" in page
    assert "Total" in pages[-1]
    assert all(any(f"TB-{number}-" in page for page in pages) for number in range(count))


def test_the_margins_of_a_pdf_are_empty() -> None:
    wide = log("W" * 50, "99999999.999")
    exported = tally(wide, wide, name="W" * 100, client="SIA", vehicle_number="W" * 30)
    [page] = pypdfium2.PdfDocument(written(write_pdf, exported))
    picture: Image.Image = page.render(scale=1).to_pil().convert("L")
    left, top, right, bottom = picture.point(lambda shade: 255 - shade).getbbox()
    millimetre = picture.width / 210
    assert left > 14 * millimetre
    assert top > 10 * millimetre
    assert right < 196 * millimetre
    assert bottom < 290 * millimetre
    text = page.get_textpage().get_text_bounded()
    assert text.count("W" * 50 + " 4.230") == 2
