"""Tables of logs are found wherever they stand: their headers, units and rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import book, books, read, refusal
from tests.tallies.sheets import HEADER, save, workbook
from timba.tallies.layout.table_search import MAX_TABLES, MAX_TITLE_ROWS
from timba.tallies.reading import NO_HEADER

ROW = ("B-1", 4.2, 30, 25)
LOG = ("B-1", "4.200", "30.000", "25.000")
FEET = ("Tag no.", "Length (ft)", "Width (in)", "Thickness (in)")


def row(number: int) -> tuple[Any, ...]:
    return (f"B-{number}", 4.2, 30, 25)


def barcodes(content: bytes | str) -> list[str | None]:
    return [barcode for barcode, *_ in read(content).logs]


# --- Headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "merged"),
    [
        ([["Barcode", "Size"], [None, *HEADER[1:]]], ["A1:A2", "B1:D1"]),
        ([["Log", "Length", "Cross", "Section"], ["number", "m", "width cm", "height cm"]], []),
        (
            [["Barcode", "Length", "Width", "Height"], ["Kod", "Długość", "Szerokość", "Wysokość"]],
            [],
        ),
        ([["Barcode", "Length", None, None], [None, "in m", "Width, cm", "Height, cm"]], ["A1:A2"]),
        ([["No.", "Tag", "L", "B", "H"], [1, 2, 3, 4, 5]], []),
    ],
)
def test_a_header_may_take_two_rows(rows: list[Any], merged: list[str]) -> None:
    cells = ROW if rows[0][0] != "No." else (1, *ROW)
    workbook = book(Tally=[*rows, cells])
    for cells_merged in merged:
        workbook["Tally"].merge_cells(cells_merged)
    assert read(save(workbook)).logs == [LOG]


def test_a_merged_cell_above_names_the_unit_of_the_columns_beneath() -> None:
    workbook = book(
        Tally=[["Barcode", "Size (mm)"], [None, "L", "W", "H"], ["B-1", 4200, 300, 250]]
    )
    workbook["Tally"].merge_cells("B1:D1")
    assert read(save(workbook)).logs == [LOG]


@pytest.mark.parametrize("order", [1, -1])
def test_a_header_in_two_languages_has_the_units_of_either_row(order: int) -> None:
    words = [["Kod", "Długość", "Szerokość", "Wysokość"], ["Tag", "L (mm)", "W (mm)", "H (mm)"]]
    assert read(workbook(*words[::order], ["B-1", 4200, 300, 250])).logs == [LOG]


def test_a_header_stands_within_the_first_rows() -> None:
    titles: list[Any] = [["Lorry 7"], ["Length of the lorry", 12]]
    titles += [["x"]] * (MAX_TITLE_ROWS - 3)
    assert read(workbook(*titles, HEADER, ROW)).logs == [LOG]
    assert refusal(workbook(*titles, ["x"], ["x"], HEADER, ROW)) == NO_HEADER


def test_columns_are_in_any_order_among_others() -> None:
    header = ["No.", "Height", "Species", "Length", "Barcode", "Remark", "Width"]
    assert read(workbook([], header, [1, 25, "oak", 4.2, "B-1", "Length", 30])).logs == [LOG]


# --- Several tables ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "between", [[], [[]], [["Lorry 2"]], [[], ["Lorry 2: AB-1234"], ["Measured by J. Doe"]]]
)
def test_a_further_header_begins_a_table_with_its_own_units(between: list[Any]) -> None:
    content = workbook(HEADER, ROW, [], *between, FEET, ["B-2", 10, 10, 5])
    result = read(content)
    assert result.logs == [LOG, ("B-2", "3.048", "25.400", "12.700")]
    assert [table["units"]["length"] for table in result.findings["read_as"]["tables"]] == [
        "m",
        "ft",
    ]
    assert result.left_out == ({"title": len(list(filter(None, between)))} if any(between) else {})


def test_a_header_that_is_repeated_on_the_next_page_begins_no_table() -> None:
    result = read(workbook(HEADER, row(1), HEADER, row(2), [], ["Page 2"], HEADER, row(3)))
    assert [log[0] for log in result.logs] == ["B-1", "B-2", "B-3"]
    assert result.left_out == {"repeated_header": 2, "title": 1}
    assert "tables" not in result.findings["read_as"]


@pytest.mark.parametrize("header", [[["Tag", "Length", "Width", "Height"]], []])
def test_a_title_with_other_units_begins_a_table(header: list[Any]) -> None:
    rows = [["Barcode", "Length", "Width", "Height"], ["B-1", 4200, 300, 250]]
    title = ["All dimensions in inches"]
    result = read(workbook(["All dimensions in mm"], *rows, title, *header, ["B-2", 100, 10, 5]))
    assert result.logs == [LOG, ("B-2", "2.540", "25.400", "12.700")]


def test_tables_stand_side_by_side() -> None:
    rows = [(*HEADER, None, *HEADER), (*row(1), None, *row(3)), (*row(2), None, *row(4)), row(5)]
    result = read(workbook(*rows, ["Total", 1, None, None, None, "Total"]))
    assert [log[0] for log in result.logs] == ["B-1", "B-2", "B-5", "B-3", "B-4"]
    assert result.left_out == {"total": 2}
    assert [table["columns"]["barcode"] for table in result.findings["tables"]] == [0, 5]


def test_a_table_may_begin_beside_the_rows_of_another() -> None:
    content = workbook(HEADER, row(1), (*row(2), None, *FEET), (*row(3), None, "B-4", 10, 10, 5))
    assert [log[:2] for log in read(content).logs] == [
        ("B-1", "4.200"),
        ("B-2", "4.200"),
        ("B-3", "4.200"),
        ("B-4", "3.048"),
    ]


def test_every_visible_sheet_with_a_header_is_read() -> None:
    result = read(books(Template=[HEADER], One=[HEADER, row(1)], Two=[FEET, ["B-2", 10, 10, 5]]))
    assert [log[:2] for log in result.logs] == [("B-1", "4.200"), ("B-2", "3.048")]
    assert result.findings["sheets"] == [
        {"name": "Template", "rows": 0, "accepted": 0},
        {"name": "One", "rows": 1, "accepted": 1},
        {"name": "Two", "rows": 1, "accepted": 1},
    ]


def test_sheets_without_a_tally_are_told() -> None:
    result = read(books(Logs=[HEADER, ROW], Sum=[["Lorry", "Logs"], ["A", 1]], Empty=[]))
    assert result.logs == [LOG]
    assert result.warnings == {
        "sheet_without_header": "Sheets without the header of a tally were left out: “Sum”."
    }


def test_a_table_without_breadth_and_height_is_left_out_beside_others() -> None:
    result = read(books(Logs=[HEADER, ROW], Checks=[["Barcode", "Length"], ["B-1", 4.2]]))
    assert result.logs == [LOG]
    assert result.warnings == {
        "table_left_out": (
            "Tables without the columns of logs were left out. "
            "Row 1 of “Checks” names no column breadth or height. Name the columns so."
        )
    }


def test_a_table_that_is_left_out_keeps_its_number() -> None:
    checks = [["Barcode", "Length"], ["B-1", 4.2]]
    sheets = books(Checks=checks, One=[HEADER, row(1)], Two=[HEADER, row(2)])
    result = read(sheets)
    assert result.findings["read_as"]["tables"][0] == {}
    assert [head["table"] for head in result.findings["head"]] == [2, 3]
    assert read(sheets, read_as=result.findings["read_as"]).logs == result.logs
    third_in_feet = {"tables": [{}, {}, {"units": {"length": "ft"}}]}
    lengths = [log[1] for log in read(sheets, read_as=third_in_feet).logs]
    assert lengths == ["4.200", "1.280"]


def test_a_file_of_too_many_tables_is_refused() -> None:
    rows = [line for n in range(MAX_TABLES + 1) for line in ((*HEADER, f"x{n}"), row(n))]
    assert refusal(workbook(*rows)) == "It holds more than 200 tables. Split it into several files."


# --- Hidden parts --------------------------------------------------------------------------------


def test_hidden_rows_and_sheets_are_left_out_and_counted() -> None:
    workbook = book(
        Logs=[HEADER, row(1), row(2), row(3)], Old=[HEADER, row(4), row(5)], List=[["x"]]
    )
    workbook["Logs"].row_dimensions[3].hidden = True
    workbook["Old"].sheet_state = "hidden"
    workbook["List"].sheet_state = "veryHidden"
    result = read(save(workbook))
    assert [log[0] for log in result.logs] == ["B-1", "B-3"]
    assert result.left_out == {"hidden_sheet": 2, "hidden_row": 1}


def test_a_hidden_column_is_no_column() -> None:
    workbook = book(Logs=[("Barcode", "Label", *HEADER[1:]), ("old", *ROW)])
    workbook["Logs"].column_dimensions["A"].hidden = True
    assert read(save(workbook)).logs == [LOG]


def test_a_file_with_logs_in_hidden_sheets_only_is_refused() -> None:
    workbook = book(Front=[["Lorry 7"]], Logs=[HEADER, ROW])
    workbook["Logs"].sheet_state = "hidden"
    assert refusal(save(workbook)) == (
        "Only hidden sheets hold logs: “Logs”. Show the sheet, then upload the file again."
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], NO_HEADER),
        ([["Name", "Length"]], NO_HEADER),
        (
            [["Barcode", "Length"], ["B-1", 4.2]],
            "Row 1 of “Tally” names no column breadth or height. Name the columns so.",
        ),
    ],
)
def test_a_sheet_without_columns_of_logs_is_refused(rows: list[Any], sentence: str) -> None:
    assert refusal(workbook(*rows)) == sentence
