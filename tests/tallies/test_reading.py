"""Reading of tally sheets: columns, units, rows, and the messages for bad cells."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import openpyxl
import pytest

from tests.files.samples import MemorySource
from tests.tallies.sheets import (
    HEADER,
    replace_parts,
    save,
    tally,
    workbook,
    workbook_of_xml,
)
from timba.files.processors.base import FileRefused
from timba.tallies import reading as rules
from timba.tallies.headers import SPELLINGS, column_letters
from timba.tallies.reading import MAX_TITLE_ROWS, NO_HEADER, read_tally
from timba.tallies.workbooks import BAD_QUOTE, NOT_UTF8, TOO_LONG

ROW = ("B-1", 4.2, 30.5, 25)
TWICE = (
    "The columns B (“Length (m)”) and C (“Length (ft)”) say the same. "
    "Keep one of them, or rename the other."
)
READ = [2, "B-1", "4.200", "30.500", "25.000"]


def read(content: bytes | str) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the logs and the rejected rows of a sheet."""
    packed = json.loads(read_tally(source(content)).objects["rows"])
    return packed["logs"], packed["rejected"]


def source(content: bytes | str) -> MemorySource:
    return MemorySource(content.encode() if isinstance(content, str) else content)


def refusal(content: bytes | str) -> str:
    with pytest.raises(FileRefused) as refused:
        read_tally(source(content))
    return str(refused.value)


def errors_of(*cells: Any) -> dict[str, str]:
    """Return the messages for a row with these cells."""
    logs, bad = read(tally(cells))
    assert logs == []
    [[_, errors, _]] = bad
    return dict(errors)


# --- Columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "spelling"), [(field, word) for field, words in SPELLINGS.items() for word in words]
)
def test_every_common_spelling_of_a_column_is_known(field: str, spelling: str) -> None:
    usual = dict(zip(SPELLINGS, ("barcode", "length", "breadth", "height"), strict=True))
    for title in (spelling, f" {spelling.upper()}: ", f"{spelling.title()}."):
        header = [title if each == field else word for each, word in usual.items()]
        assert read(workbook(header, ROW))[0] == [READ]


def test_columns_are_in_any_order_among_others() -> None:
    header = ["No.", "Height", "Species", "Length", "Barcode", "Diameter", "Width"]
    row = [1, 25, "oak", 4.2, "B-1", 33, 30.5]
    assert read(workbook(header, row))[0] == [READ]


@pytest.mark.parametrize(
    ("title", "length"),
    [
        ("Length", "4.200"),
        ("Length (m)", "4.200"),
        ("Length [cm]", "0.042"),
        ("length, mm", "0.004"),
        ("Length ft", "1.280"),
        ("Length (ft.)", "1.280"),
        ("LENGTH/FEET", "1.280"),
        ("Garums, m", "4.200"),
        ("Länge in cm", "0.042"),
        ("La\u0308nge (cm)", "0.042"),
        ("Length\n(in)", "0.107"),
        ("Length in", "0.107"),
        ('L (")', "0.107"),
        ("l_m", "4.200"),
    ],
)
def test_a_header_has_the_unit_of_its_column(title: str, length: str) -> None:
    [log] = read(workbook(["Barcode", title, "Breadth", "Height"], ROW))[0]
    assert log[2] == length


def test_units_are_converted_exactly_and_rounded_once() -> None:
    header = ["Barcode", "Length (ft)", "Breadth (in)", "Height (m)"]
    [log] = read(workbook(header, ["B-1", 13.78, 12.0005, 0.30005]))[0]
    # 13.78 × 0.3048 = 4.200144; 12.0005 × 2.54 = 30.48127; 0.30005 × 100 = 30.005.
    assert log[2:] == ["4.200", "30.481", "30.005"]


@pytest.mark.parametrize(
    ("number", "length"),
    [(0.0005, "0.001"), (1.0005, "1.001"), (1.00049, "1.000"), (0.1 + 0.2, "0.300"), (7, "7.000")],
)
def test_measures_are_rounded_half_up(number: float, length: str) -> None:
    [log] = read(tally(("B-1", number, 30, 25)))[0]
    assert log[2] == length


def test_the_least_ambiguous_header_is_the_barcode() -> None:
    header = ["No.", "Length", "Breadth", "Height", "Barcode"]
    assert read(workbook(header, [17, 4.2, 30.5, 25, "B-1"]))[0] == [READ]


def test_titles_above_the_header_are_skipped() -> None:
    titles: list[list[Any]] = [["Lorry 7"], [], ["Length of the lorry", 12]]
    logs, _ = read(workbook(*titles, [None, None, *HEADER], [None, None, *ROW]))
    assert logs == [[5, *READ[1:]]]
    result = read_tally(source(workbook(*titles, [None, None, *HEADER], [None, None, *ROW])))
    assert result.findings["columns"] == {"barcode": 2, "length": 3, "breadth": 4, "height": 5}


def test_the_first_visible_sheet_with_a_header_is_read() -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["Nothing"])
    for title, barcode in (("Hidden", "H"), ("Logs", "B-1"), ("More", "M")):
        page = book.create_sheet(title)
        page.append(HEADER)
        page.append([barcode, *ROW[1:]])
    book["Hidden"].sheet_state = "hidden"
    book.create_chartsheet("Chart", 1)
    assert read(save(book))[0] == [READ]
    assert read_tally(source(save(book))).findings["sheet"] == "Logs"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], NO_HEADER),
        ([["Name", "Length"]], NO_HEADER),
        (
            [["Barcode", "Length"]],
            "Row 1 of “Tally” names no column breadth or height. Name the columns so.",
        ),
        (
            [["x"], ["Barcode", "Length"], ["Barcode", "Length", "Width"]],
            "Row 3 of “Tally” names no column height. Name the columns so.",
        ),
        (
            [["Barcode", "Length (yd)", "Width", "Height"]],
            "The header “Length (yd)” names a unit that is not known. Use m, cm, mm, ft or in.",
        ),
        (
            [["Barcode", "Length (m)", "Length (ft)", "Width", "Height"]],
            TWICE,
        ),
        ([*[["x"]] * MAX_TITLE_ROWS, HEADER], NO_HEADER),
    ],
)
def test_a_sheet_without_a_clear_header_is_refused_with_the_missing_columns(
    rows: list[Any], sentence: str
) -> None:
    assert refusal(workbook(*rows)) == sentence


# --- Rows ----------------------------------------------------------------------------------------


def test_blank_rows_remarks_and_totals_are_skipped() -> None:
    sheet = tally(
        ROW,
        (),
        (None, "", " ", None),
        (None, None, None, None, "Signed: J. Bērziņš"),
        ("Total", "=SUM(B2:B2)", None, None, 0.32),
        (None, 4.2, None, None, "Sum:"),
        ("KOPĀ:", 4.2, 30.5, 25),
    )
    assert read(sheet) == ([READ], [])


@pytest.mark.parametrize(
    ("cell", "barcode"),
    [
        (1001.0, "1001"),
        (1001, "1001"),
        ("0042", "0042"),
        ("  B-1  ", "  B-1  "),
        (" " * 50 + "B-1", "B-1"),
        ("B-1\t", "B-1"),
        (12.5, "12.5"),
        (-7, "-7"),
        ("=1+1 ", "=1+1 "),
        ("дуб 🌲", "дуб 🌲"),
        (999_999_999_999_999, "999999999999999"),
    ],
)
def test_a_barcode_is_read_as_it_is_displayed(cell: Any, barcode: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    place = book.worksheets[0]["A2"]
    place.value = cell
    if isinstance(cell, str):
        place.data_type = "s"
    assert read(save(book))[0][0][1] == barcode


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (None, "The barcode is missing."),
        ("x" * 51, "A barcode has 1 to 50 printable characters."),
        ("a\nb", "A barcode has 1 to 50 printable characters."),
        (True, "The barcode is TRUE or FALSE. Format its cell as text."),
        (dt.date(2026, 3, 2), "The barcode is a date or a time. Format its cell as text."),
        (
            1e15,
            "The barcode is a number too long to be kept exactly. Format its cell as text.",
        ),
    ],
)
def test_an_invalid_barcode_has_its_message(cell: Any, sentence: str) -> None:
    assert errors_of(cell, 4, 30, 25) == {"barcode": sentence}


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (None, "The length is missing."),
        ("=1+1", "The length is missing."),
        ("four", "The length “four” is not a number."),
        ("1e3", "The length “1e3” is not a number."),
        ("NaN", "The length “NaN” is not a number."),
        ("1,234.5", "The length “1,234.5” is not a number."),
        ("4.2 m", "The length “4.2 m” is not a number."),
        ("٤", "The length “٤” is not a number."),
        ("x" * 99, f"The length “{'x' * 60}” is not a number."),
        (True, "The length “True” is not a number."),
        (0, "The length must be greater than 0."),
        (-4.2, "The length must be greater than 0."),
        ("-4,2", "The length must be greater than 0."),
        (0.0004, "The length is less than 0.001 m."),
        (10_000, "The length is 10,000 m or more."),
        (9999.9995, "The length is 10,000 m or more."),
        (1e308, "The length is 10,000 m or more."),
        (
            dt.datetime(2026, 4, 2, 3),  # noqa: DTZ001 - times in a sheet have no zone
            "The length is a date or a time. Format its cell as a number.",
        ),
        (dt.time(4, 2), "The length is a date or a time. Format its cell as a number."),
        (
            dt.timedelta(hours=30),
            "The length is a date or a time. Format its cell as a number.",
        ),
    ],
)
def test_an_invalid_measure_has_its_message(cell: Any, sentence: str) -> None:
    assert errors_of("B-1", cell, 30, 25) == {"length": sentence}


@pytest.mark.parametrize("text", ["4,2", "4.2", " 4.20 ", "0004.2"])
def test_a_number_may_be_text_with_a_point_or_a_comma(text: str) -> None:
    assert read(tally(("B-1", text, 30.5, 25)))[0] == [READ]


def test_the_first_row_with_a_barcode_counts_even_if_it_is_bad() -> None:
    logs, bad = read(tally(("B-1", "x", 30, 25), ROW, ("B-1", None, 1, 1), ("B-2", 1, 1, 1)))
    assert [log[1] for log in logs] == ["B-2"]
    assert [(row, errors.get("barcode")) for row, errors, _ in bad] == [
        (2, None),
        (3, "The barcode “B-1” is in row 2 already."),
        (4, "The barcode “B-1” is in row 2 already."),
    ]


def test_a_sheet_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"B-{number}", 4, 30, number) for number in range(5)]
    monkeypatch.setattr(rules, "MAX_ROWS", 5)
    assert len(read(tally(*rows))[0]) == 4
    monkeypatch.setattr(rules, "MAX_ROWS", 4)
    assert refusal(tally(*rows)) == rules.TOO_MANY


def test_the_value_of_a_formula_is_read() -> None:
    cells = '<c r="A2" t="str"><f>"B"&amp;"-1"</f><v>B-1</v></c><c r="B2"><f>2+2</f><v>4.2</v></c>'
    error = '<c r="A3" t="str"><v>B-2</v></c><c r="B3" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
    header = "".join(
        f'<c r="{letter}1" t="str"><v>{word}</v></c>'
        for letter, word in zip("ABCD", HEADER, strict=True)
    )
    rest = '<c r="C{0}"><v>30.5</v></c><c r="D{0}"><v>25</v></c>'
    rows = (header, cells + rest.format(2), error + rest.format(3))
    logs, bad = read(workbook_of_xml("".join(f"<row>{row}</row>" for row in rows)))
    assert logs == [READ]
    assert bad == [[3, {"length": "The length is missing."}, "B-2, , 30.5, 25"]]


def test_merged_cells_have_the_value_of_the_first() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW, ("B-2", 4, 30, 25))))
    book.worksheets[0].merge_cells("B2:B3")
    logs, bad = read(save(book))
    assert (logs, [errors for _, errors, _ in bad]) == (
        [READ],
        [{"length": "The length is missing."}],
    )


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "barcode,length,breadth,height\nB-1,4.2,30.5,25\n",
        "\ufeffbarcode,length,breadth,height\r\nB-1,4.2,30.5,25",
        "barcode;length;breadth;height\nB-1;4,2;30,5;25\n",
        "barcode\tlength\tbreadth\theight\nB-1\t4,2\t30,5\t25\n",
        'barcode,length,breadth,height\n"B-1","4,2","30,5",25\n',
        "barcode,length,breadth,height\nB-1,4.2,30.5,25,Oak; A,more\n",
    ],
)
def test_a_csv_is_read_with_any_common_delimiter(text: str) -> None:
    assert read(text) == ([READ], [])


def test_formulas_escaped_by_an_export_are_unescaped() -> None:
    lines = ("'=1", "'-1", "''=1", "'1", "'t Woud")
    text = "barcode,length,breadth,height\n" + "".join(f"{each},4,30,25\n" for each in lines)
    assert [log[1] for log in read(text)[0]] == ["=1", "-1", "'=1", "'1", "'t Woud"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"barcode,length,breadth,height\nB-\xff,4,30,25\n", NOT_UTF8.format(row=2)),
        ('barcode,length,breadth,height,x\nB-1,1,1,1,"\nB-2,1,1,1,x\n', BAD_QUOTE.format(row=2)),
        ('barcode,length,breadth,height\nB-1,1,1,1\n"B"-2,1,1,1\n', BAD_QUOTE.format(row=3)),
        (f"barcode,length,breadth,height\n{'x' * 200_000},1,1,1\n", TOO_LONG.format(row=2)),
        (f"barcode,length,breadth,height{',' * 20_000}\n", TOO_LONG.format(row=1)),
        ("barcode,length\n", "Row 1 names no column breadth or height. Name the columns so."),
        ("", NO_HEADER),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_with_a_reason(
    text: bytes | str, sentence: str
) -> None:
    assert refusal(text) == sentence


def test_csv_rows_are_numbered_as_in_a_spreadsheet() -> None:
    header = "Lorry 7\n\nbarcode,length,breadth,height,remark\n"
    text = header + 'B-1,4,30,25,"two\nlines"\n,,,\nB-2,x,1,1\n'
    logs, bad = read(text)
    assert ([log[0] for log in logs], [row for row, *_ in bad]) == ([4], [6])


@pytest.mark.parametrize(
    ("index", "letters"),
    [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")],
)
def test_columns_have_the_letters_of_a_spreadsheet(index: int, letters: str) -> None:
    assert column_letters(index) == letters


def test_a_workbook_may_be_stored_uncompressed() -> None:
    assert read(replace_parts(tally(ROW), parts={}, packing=0))[0] == [READ]
