"""Writes a tally as an Excel workbook: numbers as numbers, texts as texts, ready to be printed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, BinaryIO, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, Side

from timba.files.safe_csv import csv_lines
from timba.tallies.facts import Tally

HEADER: Final = ("barcode", "length", "breadth", "height", "volume")

HEADERS: Final = ("No.", "Barcode", "Length (m)", "Breadth (cm)", "Height (cm)", "Volume (m³)")
_WIDTHS: Final = (14, 30, 13, 13, 13, 13)
_FORMATS: Final = ("0", "@", "0.000", "0.###", "0.###", "#,##0.000")
_VOLUME_FORMAT: Final = _FORMATS[-1]
_A4: Final = 9
_BOLD: Final = Font(bold=True)
_TITLE: Final = Font(bold=True, size=14)
_LINE: Final = Border(bottom=Side(style="thin"))
_RIGHT: Final = Alignment(horizontal="right")
_LEFT: Final = Alignment(horizontal="left")


def write_workbook(tally: Tally, out: BinaryIO) -> None:
    """Write one sheet: the consignment's facts, the logs, their total."""
    book = Workbook(write_only=True)
    book.properties.title, book.properties.creator = _clean(tally.name), "Timba"
    sheet = book.create_sheet("Tally")
    above = _facts(sheet, tally)
    header_row = len(above) + 2
    _lay_out(sheet, header_row=header_row)
    for line in above:
        sheet.append(line)
    sheet.append([])
    sheet.append(list(_header(sheet)))
    for number, log in enumerate(tally.logs, start=1):
        barcode = _text(sheet, log.barcode, number_format="@")
        measures = [
            _number(sheet, value, number_format)
            for value, number_format in zip(log[1:], _FORMATS[2:], strict=True)
        ]
        sheet.append([number, barcode, *measures])
    total = _number(sheet, tally.volume, _VOLUME_FORMAT, font=_BOLD)
    sheet.append([_text(sheet, "Total", font=_BOLD), None, None, None, None, total])
    book.save(out)


def _facts(sheet: Any, tally: Tally) -> list[list[Any]]:
    facts = [
        [_text(sheet, name), _text(sheet, said)]
        for name, said in (("Client", tally.client), *tally.facts())
    ]
    return [
        [_text(sheet, tally.name, font=_TITLE)],
        *facts,
        [_text(sheet, "Logs"), _number(sheet, len(tally.logs), "#,##0", alignment=_LEFT)],
        [_text(sheet, "Volume"), _number(sheet, tally.volume, _VOLUME_FORMAT, alignment=_LEFT)],
    ]


def _header(sheet: Any) -> Iterable[Any]:
    for position, title in enumerate(HEADERS):
        alignment = None if position == 1 else _RIGHT
        yield _text(sheet, title, font=_BOLD, border=_LINE, alignment=alignment)


def _lay_out(sheet: Any, *, header_row: int) -> None:
    """Say how wide it is and how it is printed; before the first row, as writing goes."""
    for letter, width in zip("ABCDEF", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = f"A{header_row + 1}"
    sheet.print_title_rows = f"{header_row}:{header_row}"
    sheet.page_setup.paperSize = _A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.right.text = "&P / &N"


def _text(sheet: Any, text: str, **look: Any) -> Any:
    cell = WriteOnlyCell(sheet, _clean(text))
    # A text stays one, whatever it begins with: it is no formula.
    cell.data_type = "s"
    return _dressed(cell, look)


def _number(sheet: Any, number: Decimal | int, number_format: str, **look: Any) -> Any:
    return _dressed(WriteOnlyCell(sheet, number), {"number_format": number_format, **look})


def _dressed(cell: Any, look: dict[str, Any]) -> Any:
    for name, value in look.items():
        if value is not None:
            setattr(cell, name, value)
    return cell


def _clean(text: str) -> str:
    return str(ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))


def write_csv(tally: Tally, out: BinaryIO) -> None:
    """Write the logs under the names that the API gives their fields."""
    out.write(csv_lines([HEADER]))
    out.writelines(csv_lines([log]) for log in tally.logs)
