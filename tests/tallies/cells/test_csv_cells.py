"""CSVs of several programs: their delimiters, quotes, rows and encodings."""

from __future__ import annotations

import pytest

from timba.files.columns import MAX_COLUMNS
from timba.files.processors.base import FileRefused
from timba.files.text_encoding import UnknownEncoding
from timba.tallies.cells import csv_cells, sheet_xml
from timba.tallies.cells.csv_cells import (
    BAD_QUOTE,
    MAX_LINES,
    TOO_LONG,
    UNREADABLE_LETTER,
    read_csv,
)
from timba.tallies.cells.grids import Cell, CellKind, Row
from timba.tallies.cells.sheet_xml import TOO_FULL

HEADER = "Barcode,Length (m),Breadth (cm),Height (cm)"


def rows(content: str | bytes, *, encoding: str | None = None) -> tuple[Row, ...]:
    data = content.encode() if isinstance(content, str) else content
    [grid] = read_csv(data, encoding=encoding).grids
    return tuple(grid.rows)


def texts(content: str | bytes) -> dict[int, list[str | None]]:
    """Return the texts of each row, by its number."""
    return {
        row.number: [cell.text if cell else None for cell in row.cells] for row in rows(content)
    }


def errors(content: str) -> dict[int, str]:
    """Return the errors of the rows that have one."""
    return {row.number: row.line_error for row in rows(content) if row.line_error}


def bad_quotes(*numbers: int) -> dict[int, str]:
    return {number: BAD_QUOTE.format(row=number) for number in numbers}


def test_a_csv_is_one_grid_of_texts() -> None:
    workbook = read_csv(f"{HEADER}\nB-1,4.2,30,".encode())
    [grid] = workbook.grids
    assert (workbook.is_csv, workbook.encoding, workbook.delimiter) == (True, "utf-8", ",")
    assert (grid.name, grid.hidden, grid.hidden_columns) == ("", False, frozenset())
    assert grid.rows[1].cells[0] == Cell(CellKind.TEXT, "B-1", "B-1")
    assert grid.rows[1].cells[3] is None


# --- Delimiters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_delimiter_is_known(delimiter: str) -> None:
    content = f"{HEADER}\nB-1,4.2,30,25".replace(",", delimiter)
    assert read_csv(content.encode()).delimiter == delimiter
    assert texts(content)[2] == ["B-1", "4.2", "30", "25"]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        # A decimal comma in every measure, and one in every header.
        ("a;b, m;c, cm;d, cm\n1;4,20;30,50;25,00\n2;4,20;30,50;25,00", ";"),
        # More rows with one comma than rows with all cells.
        ("a;b;c;d\n1;4,2;30;25\n2;4,2;30;25\nTotal;8,4\nTotal;8,4\nTotal;8,4", ";"),
        ("a\tb\n1,5\t2,5\n1,5\t2,5", "\t"),
        ("a|b|c\n1,5|2,5|3,5", "|"),
        # A semicolon in a remark of every row.
        ("a,b,c,d,e;f\n1,4.2,30,25,x;y\n2,4.2,30,25,x;y", ","),
        # Commas within quotes.
        ('a;b\n"1,2,3,4";2\n"1,2,3,4";3', ";"),
        # Inch marks that are no quotes.
        ('a;b;c\n1;8\'6";12"\n2;8\'6";12"', ";"),
        ("Lorry 7, Riga, oak\n\na;b;c;d\n1;4;30;25\n2;4;30;25", ";"),
        ("a\n1\n2", None),
    ],
)
def test_the_delimiter_is_the_one_that_fits_the_whole_file(
    content: str, delimiter: str | None
) -> None:
    assert read_csv(content.encode()).delimiter == delimiter


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
def test_a_line_may_name_the_delimiter_and_is_no_row(line: str) -> None:
    assert texts(f"{line}\na,b;c\n1,2;3") == {1: ["a,b", "c"], 2: ["1,2", "3"]}


# --- Rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_numbered_as_in_a_spreadsheet(end: str) -> None:
    content = end.join(("a,b", "", " , ", '"x', '\u2028y",2', "3,4", ""))
    assert texts(content) == {1: ["a", "b"], 4: ["x\n\u2028y", "2"], 5: ["3", "4"]}


def test_quotes_are_taken_off() -> None:
    content = 'a,b,c,d\n"B-1", "4,2" ,"8\'6""",\n="007","=""008""",=1+1,"a\n\nb"'
    assert texts(content) == {
        1: ["a", "b", "c", "d"],
        2: ["B-1", "4,2", "8'6\"", None],
        3: ["007", "008", "=1+1", "a\n\nb"],
    }


def test_a_sheet_without_quotes_may_have_inch_marks() -> None:
    assert texts(f'{HEADER}\nB-1,8\'6",12",10"')[2] == ["B-1", "8'6\"", '12"', '10"']


@pytest.mark.parametrize(
    ("row", "bad"),
    [
        # A quote is left open, closed too early, or not doubled.
        ('B-2,"4.2,30,25', (2,)),
        ('B-2,4.2,30,"25', (2,)),
        ('"8" knot,4.2,30,25', (2,)),
        ('"B-2","4.2","30","25', (2,)),
        ('B-2,"4.2"0,30,25', (2,)),
        # The next rows close it, but are swallowed.
        ('B-2,4.2,30,"25\nB-3,4.2,30,25"', (2, 3)),
        ('B-2,"4.2,30,25\nB-3,4.2,30,25\nB-4,4.2,30,25",', (2, 4)),
        # Another row has quotes, so that this is no inch mark.
        ('B-2,4.2,30,25"\n"B-3",4.2,30,25', (2,)),
        ('B-2,"4.2",30,25"', (2,)),
    ],
)
def test_a_stray_quote_costs_its_row_alone(row: str, bad: tuple[int, ...]) -> None:
    content = f"{HEADER}\n{row}\nB-9,5,30,25\n"
    assert errors(content) == bad_quotes(*bad)
    found = texts(content)
    assert found[max(found)] == ["B-9", "5", "30", "25"]
    assert len(found) == content.count("\n")


def test_a_row_with_a_stray_quote_keeps_its_text() -> None:
    assert texts('a,b\n"8" knot,1')[2] == ['"8" knot', "1"]


def test_a_quoted_cell_has_a_limited_number_of_lines() -> None:
    def cell_of(lines: int) -> str:
        newlines = "\n" * (lines - 1)
        return f'a,b\n1,"{newlines}"\n2,3'

    assert errors(cell_of(MAX_LINES)) == {}
    assert errors(cell_of(MAX_LINES + 1))[2] == BAD_QUOTE.format(row=2)


def test_a_row_that_is_too_long_is_marked() -> None:
    assert errors("a,b\n" + "," * MAX_COLUMNS) == {2: TOO_LONG.format(row=2)}
    assert errors("a,b\n" + "x" * 40_000) == {2: TOO_LONG.format(row=2)}
    assert errors("a,b\n" + "," * (MAX_COLUMNS - 1) + "\n1,2") == {}


def test_the_number_of_rows_and_cells_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_cells, "MAX_ROWS", 3)
    assert len(rows("1,2\n3,4\n5,6\n\n")) == 3
    with pytest.raises(FileRefused) as refused:
        rows("1,2\n3,4\n\n5,6")
    assert str(refused.value) == TOO_FULL
    monkeypatch.setattr(sheet_xml, "MAX_FILLED", 3)
    with pytest.raises(FileRefused) as refused:
        rows("1,2\n3,4")
    assert str(refused.value) == TOO_FULL


# --- Encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_with_and_without_its_mark(encoding: str) -> None:
    content = "Svītrkods;Garums\nLV-Ž1;4,2\n"
    assert texts(content.encode(encoding)) == {1: ["Svītrkods", "Garums"], 2: ["LV-Ž1", "4,2"]}


def test_two_byte_order_marks_are_taken_off() -> None:
    assert texts("\ufeff\ufeffa,b\n1,2")[1] == ["a", "b"]


def test_an_encoding_that_cannot_be_told_is_asked_for_and_taken() -> None:
    data = "Nr;Garums\nŽ-1;4,2".encode("cp1257")
    with pytest.raises(UnknownEncoding) as unknown:
        read_csv(data)
    assert "cp1257" in unknown.value.choices
    assert rows(data, encoding="cp1257")[1].cells[0] == Cell(CellKind.TEXT, "Ž-1", "Ž-1")


def test_a_letter_that_cannot_be_read_costs_its_row_alone() -> None:
    content = "Svītrkods,Garums\nŽ-1,4\nB-\udcff,4\nŽ-3,4\nŽ-4,4".encode(errors="surrogateescape")
    found = rows(content, encoding="utf-8")
    assert [row.line_error for row in found] == ["", "", UNREADABLE_LETTER.format(row=3), "", ""]


def test_control_characters_stay_in_their_cells() -> None:
    assert texts("a,b\nB\x00-1,\x0c2\x1c\n")[2] == ["B\x00-1", "\x0c2\x1c"]
