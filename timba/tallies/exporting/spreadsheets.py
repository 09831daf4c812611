"""Writes a tally as an Excel workbook or as CSV, in which no cell is run as a formula.

The workbook is ready to be printed: details of the consignment, a table of its logs with numbers as
numbers, and their total. The CSV is for programs: one row for each log, with the API's field names,
and in a form that a spreadsheet program can open and save without changing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, BinaryIO, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, Side

from timba.files.rejects import set_xlsx_text, xlsx_text
from timba.tallies.exporting.barcode_cells import escape_barcode
from timba.tallies.exporting.tally import Tally, TallyLog

# What separates the fields of a CSV, by its decimal separator.
DELIMITERS: Final = {".": ",", ",": ";"}
_NEEDS_QUOTES: Final = re.compile(r"[\",;|\t\r\n]")
XLSX_HEADER: Final = ("No.", "Barcode", "Length (m)", "Breadth (cm)", "Height (cm)", "Volume (m³)")
# By column: its width in characters, and the number format of its cells.
_WIDTHS: Final = (14, 30, 13, 13, 13, 13)
_FORMATS: Final = ("0", "@", "0.000", "0.###", "0.###", "#,##0.000")
_VOLUME_FORMAT: Final = _FORMATS[-1]
# Excel's number for the paper size.
_A4: Final = 9
_BOLD: Final = Font(bold=True)
_TITLE: Final = Font(bold=True, size=14)
_LINE: Final = Border(bottom=Side(style="thin"))
_RIGHT: Final = Alignment(horizontal="right")
_LEFT: Final = Alignment(horizontal="left")


def write_csv(tally: Tally, out: BinaryIO, *, decimal: str = ".") -> None:
    """Write a header with the API's field names, and one line for each log.

    With a decimal comma, fields are separated by semicolons, as where that is usual.
    """
    separator = DELIMITERS[decimal]
    # The mark of the encoding, without which Excel takes UTF-8 for another one.
    out.write(f"\ufeff{separator.join(TallyLog._fields)}\r\n".encode())  # noqa: SLF001 - public, in spite of its name
    for barcode, *numbers in tally.logs:
        cells = (_csv_barcode(barcode), *(str(number).replace(".", decimal) for number in numbers))
        out.write(f"{separator.join(cells)}\r\n".encode())


def _csv_barcode(barcode: str) -> str:
    """Return a barcode as the first field of a line, one cell whatever separates the fields."""
    cell = escape_barcode(barcode)
    if _NEEDS_QUOTES.search(cell) is None:
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def write_xlsx(tally: Tally, out: BinaryIO) -> None:
    """Write a workbook with one sheet: the details of the consignment, its logs and their total."""
    book = Workbook(write_only=True)
    book.properties.title, book.properties.creator = xlsx_text(tally.name), "Timba"
    sheet = book.create_sheet("Tally")
    details = _detail_rows(sheet, tally)
    header_row = len(details) + 2
    _set_layout(sheet, header_row=header_row)
    for row in details:
        sheet.append(row)
    sheet.append([])
    sheet.append(list(_header_cells(sheet)))
    for number, log in enumerate(tally.logs, start=1):
        barcode = _text_cell(sheet, log.barcode, number_format="@")
        measures = [
            _number_cell(sheet, value, number_format)
            for value, number_format in zip(log[1:], _FORMATS[2:], strict=True)
        ]
        sheet.append([number, barcode, *measures])
    total = _number_cell(sheet, tally.volume, _VOLUME_FORMAT, font=_BOLD)
    sheet.append([_text_cell(sheet, "Total", font=_BOLD), None, None, None, None, total])
    book.save(out)


def _detail_rows(sheet: Any, tally: Tally) -> list[list[Any]]:
    details = [
        [_text_cell(sheet, label), _text_cell(sheet, value)]
        for label, value in (("Client", tally.client), *tally.details())
    ]
    count = _number_cell(sheet, len(tally.logs), "#,##0", alignment=_LEFT)
    volume = _number_cell(sheet, tally.volume, _VOLUME_FORMAT, alignment=_LEFT)
    return [
        [_text_cell(sheet, tally.name, font=_TITLE)],
        *details,
        [_text_cell(sheet, "Logs"), count],
        [_text_cell(sheet, "Volume"), volume],
    ]


def _set_layout(sheet: Any, *, header_row: int) -> None:
    """Set widths and printing; a write-only workbook takes them before the first row only."""
    for letter, width in zip("ABCDEF", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = f"A{header_row + 1}"
    sheet.print_title_rows = f"{header_row}:{header_row}"
    sheet.page_setup.paperSize = _A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.right.text = "&P / &N"


def _header_cells(sheet: Any) -> Iterable[Any]:
    for position, title in enumerate(XLSX_HEADER):
        alignment = None if position == 1 else _RIGHT
        yield _text_cell(sheet, title, font=_BOLD, border=_LINE, alignment=alignment)


def _text_cell(sheet: Any, text: str, **style: Any) -> Any:
    cell = WriteOnlyCell(sheet)
    set_xlsx_text(cell, text)
    return _styled(cell, style)


def _number_cell(sheet: Any, number: Decimal | int, number_format: str, **style: Any) -> Any:
    return _styled(WriteOnlyCell(sheet, number), {"number_format": number_format, **style})


def _styled(cell: Any, style: dict[str, Any]) -> Any:
    for name, value in style.items():
        if value is not None:
            setattr(cell, name, value)
    return cell
