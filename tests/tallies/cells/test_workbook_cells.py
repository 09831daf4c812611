"""Workbooks of several programs: their sheets, strings, styles and calendars, and equal values."""

from __future__ import annotations

import datetime as dt
import io
import random
import zipfile
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

from tests.tallies.sheets import (
    SHEET,
    replace_parts,
    save,
    strict,
    tally,
    workbook,
    workbook_of_xml,
)
from timba.files.processors.base import FileRefused
from timba.tallies.cells import workbook_cells
from timba.tallies.cells.archives import BOMB, DAMAGED
from timba.tallies.cells.grids import Cell, CellKind, Workbook
from timba.tallies.cells.workbook_cells import read_sheet_names, read_workbook

ROW = ("B-1", 4.2, 30.5, 25)
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = "xl/styles.xml"
RELATIONSHIPS = "xl/_rels/workbook.xml.rels"
FORMATS = ("General", "000000", "#,##0.00", "0.00%", "# ?/?", '0" mm"', "0.00E+00", "@")


def read(content: bytes) -> Workbook:
    return read_workbook(io.BytesIO(content))


def texts(content: bytes, sheet: int = 0) -> list[list[str | None]]:
    """Return the shown texts of a sheet."""
    rows = read(content).grids[sheet].rows
    return [[cell.text if cell else None for cell in row.cells] for row in rows]


def part(content: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name).decode()


def replace_in(content: bytes, name: str, old: str, new: str) -> bytes:
    """Return a workbook in one of whose parts a text, which is there, is replaced."""
    xml = part(content, name)
    assert old in xml
    return replace_parts(content, parts={name: xml.replace(old, new)})


def refusal(content: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        read(content)
    return str(refused.value)


def with_string(xml: str) -> bytes:
    """Return a workbook whose cell A1 is this shared string."""
    book = workbook_of_xml('<row><c t="s"><v>0</v></c></row>')
    book = replace_in(
        book,
        RELATIONSHIPS,
        "</Relationships>",
        f'<Relationship Id="rId9" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
    )
    strings = f'<sst xmlns="{NAMESPACE}">{xml}</sst>'
    return replace_parts(book, parts={"xl/sharedStrings.xml": strings})


# --- The same values as openpyxl -----------------------------------------------------------------


def random_value(rng: random.Random) -> Any:
    return rng.choice(
        (
            lambda: rng.randrange(-(10**15), 10**15),
            lambda: round(rng.uniform(0, 1000), rng.randrange(6)),
            lambda: rng.uniform(-1, 1) * 10 ** rng.randrange(-20, 20),
            lambda: "".join(rng.choices("LV-07 äžщ本\n\t'\"=<&;,", k=rng.randrange(1, 9))),
            lambda: rng.random() < 0.5,
            lambda: dt.datetime(1904, 1, 2) + dt.timedelta(days=rng.randrange(60_000)),  # noqa: DTZ001
            lambda: dt.datetime(2026, 3, 2, 6, 7, rng.randrange(60)),  # noqa: DTZ001
            lambda: dt.time(rng.randrange(24), rng.randrange(60)),
            lambda: dt.timedelta(hours=rng.randrange(1, 99)),
            lambda: None,
        )
    )()


def random_workbook(rng: random.Random) -> bytes:
    book = openpyxl.Workbook()
    book.epoch = rng.choice((WINDOWS_EPOCH, MAC_EPOCH))
    page = book.worksheets[0]
    for place in rng.sample(range(400), k=rng.randrange(1, 60)):
        cell = page.cell(row=place // 10 + 1, column=place % 10 + 1)
        cell.value = random_value(rng)
        if cell.data_type == "f":
            cell.data_type = "s"
        if cell.data_type == "n" and not cell.is_date:
            cell.number_format = rng.choice(FORMATS)
    return save(book)


def as_openpyxl(cell: Cell) -> Any:
    """Return the value of a cell as openpyxl gives it."""
    value = cell.value
    if isinstance(value, Decimal):
        return float(value)
    if type(value) is dt.date:
        return dt.datetime.combine(value, dt.time.min)
    return value


@pytest.mark.parametrize("seed", range(40))
def test_the_values_are_those_that_openpyxl_reads(seed: int) -> None:
    content = random_workbook(random.Random(seed))
    page = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    expected = {
        (cell.row, cell.column - 1): cell.value for row in page for cell in row if cell.value
    }
    found = {
        (row.number, column): as_openpyxl(cell)
        for row in read(content).grids[0].rows
        for column, cell in enumerate(row.cells)
        if cell is not None and cell.value
    }
    assert found == expected


# --- Sheets --------------------------------------------------------------------------------------


def test_all_sheets_are_read_and_hidden_ones_marked() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    for name, state in (("Prices", "hidden"), ("Ādaži", "visible"), ("Codes", "veryHidden")):
        page = book.create_sheet(name)
        page["A1"] = name
        page.sheet_state = state
    content = save(book)
    grids = read(content).grids
    assert [(grid.name, grid.hidden, len(grid.rows)) for grid in grids] == [
        ("Tally", False, 2),
        ("Prices", True, 1),
        ("Ādaži", False, 1),
        ("Codes", True, 1),
    ]
    assert read_sheet_names(io.BytesIO(content)) == ["Tally", "Prices", "Ādaži", "Codes"]


def test_a_sheet_with_only_a_chart_is_no_grid() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    chart = BarChart()
    chart.add_data(Reference(book.worksheets[0], min_col=2, min_row=1, max_row=2))
    book.create_chartsheet("Chart", 0).add_chart(chart)
    assert [grid.name for grid in read(save(book)).grids] == ["Tally"]


@pytest.mark.parametrize("target", ["worksheets/sheet1.xml", "/xl/WorkSheets/Sheet1.xml"])
def test_a_sheet_is_found_by_its_relationship(target: str) -> None:
    content = replace_in(tally(ROW), RELATIONSHIPS, "/xl/worksheets/sheet1.xml", target)
    assert texts(content)[1] == ["B-1", "4.2", "30.5", "25"]


def test_a_missing_sheet_is_damage() -> None:
    assert refusal(replace_parts(tally(ROW), parts={SHEET: None})) == DAMAGED


def test_two_sheets_in_one_part_are_damage() -> None:
    sheet = '<sheet name="Twin" sheetId="9" r:id="rId1"'
    content = replace_in(
        tally(ROW),
        "xl/workbook.xml",
        "<sheets>",
        f'<sheets xmlns:r="{OFFICE}">{sheet}/>',
    )
    assert refusal(content) == DAMAGED


# --- Programs ------------------------------------------------------------------------------------


def test_prefixes_do_not_matter() -> None:
    xml = (
        f'<x:worksheet xmlns:x="{NAMESPACE}" xmlns="urn:other"><x:sheetData><x:row r="1">'
        '<x:c r="A1" t="inlineStr"><x:is><x:t>B-1</x:t></x:is></x:c><c r="B1"><v>1</v></c>'
        '<x:c r="C1"><x:v>4.2</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert texts(replace_parts(tally(), parts={SHEET: xml})) == [["B-1", None, "4.2"]]


def test_a_strict_workbook_is_read() -> None:
    assert texts(strict(tally(ROW)))[1] == ["B-1", "4.2", "30.5", "25"]


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1252"])
def test_the_xml_may_have_another_encoding(encoding: str) -> None:
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?><worksheet xmlns="{NAMESPACE}"><sheetData>'
        '<row><c t="str"><v>Länge</v></c></row></sheetData></worksheet>'
    )
    content = replace_parts(tally(), parts={SHEET: xml.encode(encoding)})
    assert texts(content) == [["Länge"]]


def test_an_unknown_encoding_is_damage() -> None:
    xml = '<?xml version="1.0" encoding="runes"?><worksheet/>'
    assert refusal(replace_parts(tally(), parts={SHEET: xml})) == DAMAGED


def test_a_workbook_without_strings_and_styles_is_read() -> None:
    content = replace_parts(
        workbook_of_xml('<row><c t="str"><v>B-1</v></c><c s="3"><v>4.2</v></c></row>'),
        parts={
            RELATIONSHIPS: '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
            f'relationships"><Relationship Id="rId1" Type="{OFFICE}/worksheet" '
            'Target="worksheets/sheet1.xml"/>'
            "</Relationships>",
        },
    )
    assert texts(content) == [["B-1", "4.2"]]


# --- Strings and styles --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<si><t>B-1</t></si>", "B-1"),
        ('<si><t xml:space="preserve"> B 1 </t></si>', " B 1 "),
        ("<si><r><t>B</t></r><r><rPr><b/></rPr><t>-1</t></r></si>", "B-1"),
        ("<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si>", "東京"),
        ("<si><t>a_x000A_b_xD800_</t></si>", "a\nb_xD800_"),
        ("<si><t>B<!-- x -->&amp;1</t></si>", "B&1"),
    ],
)
def test_a_shared_string_is_its_text(xml: str, text: str) -> None:
    assert texts(with_string(xml)) == [[text]]


def test_the_number_of_shared_strings_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_cells, "MAX_FILLED", 2)
    assert texts(with_string("<si><t>1</t></si>" * 2)) == [["1"]]
    assert refusal(with_string("<si><t>1</t></si>" * 3)) == BOMB


def test_a_number_has_the_format_of_its_style() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([7, 12.5, 0.5, 4200])))
    page = book.worksheets[0]
    for column, code in zip("ABCD", ("000000", "# ?/?", "0%", '#,##0" mm"'), strict=True):
        page[f"{column}1"].number_format = code
    [row] = read(save(book)).grids[0].rows
    assert [cell and (cell.value, cell.text, cell.number_format) for cell in row.cells] == [
        (Decimal(7), "000007", "000000"),
        (Decimal("12.5"), "12 1/2", "# ?/?"),
        (Decimal("0.5"), "50%", "0%"),
        (Decimal(4200), "4,200 mm", '#,##0" mm"'),
    ]


def test_the_format_of_a_condition_is_not_that_of_a_cell() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([7])))
    book.worksheets[0]["A1"].number_format = "000"
    dxf = '<dxfs count="1"><dxf><numFmt numFmtId="164" formatCode="0.00"/></dxf></dxfs>'
    content = replace_in(save(book), STYLES, "</cellXfs>", f"</cellXfs>{dxf}")
    assert texts(content) == [["007"]]


def test_dates_are_counted_from_1904_where_the_workbook_says_so() -> None:
    book = openpyxl.Workbook()
    book.epoch = MAC_EPOCH
    book.worksheets[0]["A1"] = dt.date(2026, 3, 2)
    [[cell]] = [row.cells for row in read(save(book)).grids[0].rows]
    assert cell == Cell(CellKind.DATE, dt.date(2026, 3, 2), "2026-03-02")
