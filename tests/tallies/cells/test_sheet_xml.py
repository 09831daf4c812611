"""The XML of one sheet: what is hidden, merged or a formula, and what contradicts itself."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest

from timba.files.processors.base import FileRefused
from timba.tallies.cells import sheet_xml
from timba.tallies.cells.archives import BOMB, DAMAGED, STRANGE_XML
from timba.tallies.cells.cell_values import MAX_TEXT, CellMaker
from timba.tallies.cells.grids import Cell, CellKind
from timba.tallies.cells.number_formats import parse_format
from timba.tallies.cells.sheet_xml import (
    TOO_FULL,
    TOO_MANY_MERGED,
    TOO_WIDE,
    FilledCells,
    SheetContent,
    read_sheet,
)

NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRINGS = ("Barcode", "B-1", "")
FORMATS = tuple(map(parse_format, ("General", "000", "yyyy-mm-dd", "[h]:mm", "h:mm", "General")))
UNCOMPUTED = Cell(CellKind.ERROR, "", "", formula="2+2.2")


def read(rows: str, *, before: str = "", after: str = "", is_1904: bool = False) -> SheetContent:
    """Return the content of a sheet with these rows of XML, and other elements around them."""
    xml = f'<worksheet xmlns="{NAMESPACE}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'
    maker = CellMaker(strings=STRINGS, formats=FORMATS, is_1904=is_1904)
    return read_sheet(io.BytesIO(xml.encode()), maker, FilledCells())


def texts(rows: str, **options: Any) -> dict[int, list[str | None]]:
    """Return the shown texts of each row."""
    content = read(rows, **options)
    return {row.number: [cell.text if cell else None for cell in row.cells] for row in content.rows}


def cell(xml: str, **options: Any) -> Cell | None:
    """Return the only cell of a sheet, or None if it is empty."""
    rows = read(f"<row>{xml}</row>", **options).rows
    return rows[0].cells[0] if rows else None


def refusal(rows: str, **options: Any) -> str:
    with pytest.raises(FileRefused) as refused:
        read(rows, **options)
    return str(refused.value)


def test_rows_and_cells_without_a_reference_follow_each_other() -> None:
    assert texts(
        '<row><c><v>1</v></c><c><v>2</v></c></row><row r="5"><c r="C5"><v>3</v></c><c><v>4</v></c>'
        "</row><row><c><v>5</v></c></row>"
    ) == {1: ["1", "2"], 5: [None, None, "3", "4"], 6: ["5"]}


def test_rows_in_any_order_are_sorted_and_blank_ones_left_out() -> None:
    assert texts(
        '<row r="3"><c r="B3"><v>3</v></c><c r="A3"><v>1</v></c></row>'
        '<row r="2"><c r="A2" s="1"/></row><row r="1"><c r="A1"><v>2</v></c></row>'
    ) == {1: ["2"], 3: ["1", "3"]}


@pytest.mark.parametrize(
    "attributes",
    ['hidden="1"', 'hidden="true"', 'ht="0" customHeight="1"', 'ht="0.0"'],
)
def test_a_hidden_row_is_marked(attributes: str) -> None:
    assert read(f"<row {attributes}><c><v>1</v></c></row>").rows[0].hidden


@pytest.mark.parametrize("attributes", ['hidden="0"', 'hidden="false"', 'ht="12"', 'collapsed="1"'])
def test_a_row_that_is_shown_is_not_marked(attributes: str) -> None:
    assert not read(f"<row {attributes}><c><v>1</v></c></row>").rows[0].hidden


def test_hidden_columns_are_told_by_their_mark_or_their_width() -> None:
    columns = (
        '<cols><col min="1" max="1" width="9"/><col min="2" max="3" hidden="1"/>'
        '<col min="5" max="5" width="0" customWidth="1"/><col min="7" max="6" hidden="1"/></cols>'
    )
    assert read("", before=columns).hidden_columns == {1, 2, 4}


def test_merged_ranges_are_told() -> None:
    merged = '<mergeCells><mergeCell ref="B1:D2"/><mergeCell ref="A7"/></mergeCells>'
    assert read("", after=merged).merged == [(1, 1, 2, 3), (7, 0, 7, 0)]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<c><v>4.2</v></c>", Cell(CellKind.NUMBER, Decimal("4.2"), "4.2")),
        (
            '<c t="n"><v>4.2000000000000002</v></c>',
            Cell(CellKind.NUMBER, Decimal("4.2"), "4.2"),
        ),
        ("<c><v>1e3</v></c>", Cell(CellKind.NUMBER, Decimal(1000), "1000")),
        ('<c s="1"><v>7</v></c>', Cell(CellKind.NUMBER, Decimal(7), "007", number_format="000")),
        ('<c t="s"><v>\n 1\n</v></c>', Cell(CellKind.TEXT, "B-1", "B-1")),
        ('<c t="s"><v>2</v></c>', None),
        ('<c t="str"><v> a_x000D_b_x005F_ </v></c>', Cell(CellKind.TEXT, " a\rb_ ", " a\rb_ ")),
        ('<c t="inlineStr"><is><t>B-1</t></is></c>', Cell(CellKind.TEXT, "B-1", "B-1")),
        (
            '<c t="inlineStr"><is><r><t>東</t></r><r><t>京</t></r><rPh><t>トウ</t></rPh></is></c>',
            Cell(CellKind.TEXT, "東京", "東京"),
        ),
        ('<c t="b"><v>1</v></c>', Cell(CellKind.BOOLEAN, True, "TRUE")),
        ('<c t="b"><v>false</v></c>', Cell(CellKind.BOOLEAN, False, "FALSE")),
        ('<c t="e"><v>#REF!</v></c>', Cell(CellKind.ERROR, "#REF!", "#REF!")),
        ("<c><v>many</v></c>", Cell(CellKind.ERROR, "many", "many")),
        ("<c><v>1e999</v></c>", Cell(CellKind.ERROR, "1e999", "1e999")),
        ("<c><v>nan</v></c>", Cell(CellKind.ERROR, "nan", "nan")),
        ("<c><v>1_0</v></c>", Cell(CellKind.ERROR, "1_0", "1_0")),
        ('<c s="99"><v>7</v></c>', Cell(CellKind.NUMBER, Decimal(7), "7")),
        ("<c><v></v></c>", None),
        ('<c s="1"/>', None),
    ],
)
def test_a_cell_of_each_type(xml: str, expected: Cell | None) -> None:
    assert cell(xml) == expected


@pytest.mark.parametrize(
    ("xml", "is_1904", "text"),
    [
        ('<c s="2"><v>46083</v></c>', False, "2026-03-02"),
        ('<c s="2"><v>44621</v></c>', True, "2026-03-02"),
        ('<c s="2"><v>46083.25</v></c>', False, "2026-03-02 06:00:00"),
        ('<c s="2"><v>1</v></c>', False, "1900-01-01"),
        ('<c s="2"><v>61</v></c>', False, "1900-03-01"),
        ('<c s="4"><v>0.25</v></c>', False, "06:00:00"),
        ('<c s="3"><v>1.25</v></c>', False, "1 day, 6:00:00"),
        ('<c t="d"><v>2026-03-02</v></c>', False, "2026-03-02"),
        ('<c t="d"><v>2026-03-02T06:00:00Z</v></c>', False, "2026-03-02 06:00:00"),
    ],
)
def test_a_number_with_the_format_of_a_date_is_a_date(xml: str, is_1904: bool, text: str) -> None:
    found = cell(xml, is_1904=is_1904)
    assert found is not None
    assert (found.kind, found.text) == (CellKind.DATE, text)


@pytest.mark.parametrize(
    "xml", ['<c s="2"><v>-1</v></c>', '<c s="2"><v>1e9</v></c>', '<c t="d"><v>soon</v></c>']
)
def test_a_date_that_the_calendar_lacks_is_an_error(xml: str) -> None:
    found = cell(xml)
    assert found is not None
    assert found.kind is CellKind.ERROR


def test_a_formula_is_told_beside_its_value() -> None:
    assert cell("<c><f>2+2.2</f><v>4.2</v></c>") == Cell(
        CellKind.NUMBER, Decimal("4.2"), "4.2", formula="2+2.2"
    )


@pytest.mark.parametrize("xml", ["<c><f>2+2.2</f></c>", "<c><f>2+2.2</f><v/></c>"])
def test_a_formula_without_a_value_is_an_error_without_a_value(xml: str) -> None:
    assert cell(xml) == UNCOMPUTED


def test_a_formula_that_yields_an_empty_text_shows_nothing() -> None:
    assert cell('<c t="str"><f>IF(A2="","",1)</f><v></v></c>') is None


def test_cells_that_share_a_formula_are_formulas() -> None:
    rows = read(
        '<row><c><f t="shared" ref="A1:A2" si="0">SUM(B1:C1)</f><v>5</v></c></row>'
        '<row><c><f t="shared" si="0"/><v>6</v></c><c><f t="shared" si="1"/><v>7</v></c></row>'
    ).rows
    formulas = [cell and cell.formula for row in rows for cell in row.cells]
    assert formulas == ["SUM(B1:C1)", "SUM(B1:C1)", "?"]


def test_a_text_is_read_up_to_what_a_cell_can_hold() -> None:
    found = cell(f'<c t="str"><v>{"x" * 100_000}</v></c>')
    assert found is not None
    assert found.value == "x" * MAX_TEXT


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="0"/>',
        '<row r="1048577"/>',
        '<row r="x"/>',
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1"><c r="B1"><v>2</v></c></row>',
        '<row r="1"><c r="A2"><v>1</v></c></row>',
        '<row r="1"><c r="XFE1"><v>1</v></c></row>',
        '<row r="1"><c r="a1"><v>1</v></c></row>',
        '<row r="1"><c r="1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        '<c r="A1"><v>1</v></c>',
        '<row><c t="s"><v>3</v></c></row>',
        '<row><c t="s"><v>-1</v></c></row>',
        "<row><c><v>1</v></row>",
        "<row><c><v>&nbsp;</v></c></row>",
        '<cols><col min="0" max="1"/></cols>',
        '<mergeCell ref="A0:B1"/>',
        '<mergeCell ref="all"/>',
    ],
)
def test_a_sheet_that_contradicts_itself_is_damaged(rows: str) -> None:
    assert refusal(rows) == DAMAGED


def test_a_document_type_is_refused_in_any_encoding() -> None:
    xml = '<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE worksheet><worksheet/>'
    with pytest.raises(FileRefused) as refused:
        read_sheet(
            io.BytesIO(xml.encode()),
            CellMaker(strings=(), formats=FORMATS, is_1904=False),
            FilledCells(),
        )
    assert str(refused.value) == STRANGE_XML


def test_a_cell_far_away_is_refused_only_if_the_sheet_gets_too_large() -> None:
    assert len(read('<row r="1"><c r="XFD1"><v>1</v></c></row>').rows[0].cells) == 16_384
    assert list(texts('<row r="1048576"><c r="D1048576"><v>1</v></c></row>')) == [1_048_576]
    last = "<row r='1048576'><c r='A1048576'><v>1</v></c></row>"
    wide = "<row r='1'><c r='XFD1'><v>1</v></c></row>"
    for rows in (wide + last, last + wide):
        assert refusal(rows) == TOO_WIDE.format(cell="XFD1048576")


def test_the_number_of_cells_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "MAX_CELLS", 10)
    monkeypatch.setattr(sheet_xml, "MAX_FILLED", 5)
    assert refusal("<row>" + "<c/>" * 11 + "</row>") == BOMB
    assert refusal("<row>" + "<c><v>1</v></c>" * 6 + "</row>") == TOO_FULL
    monkeypatch.setattr(sheet_xml, "MAX_MERGED", 1)
    assert refusal("", after='<mergeCell ref="A1:B1"/>' * 2) == TOO_MANY_MERGED
