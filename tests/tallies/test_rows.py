"""Each row is a log, a reject with a sentence for each bad cell, or left out for a reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.tallies.reads import Read, book, books, read, refusal
from tests.tallies.sheets import HEADER, save, tally, workbook
from timba.tallies import rows as rules
from timba.tallies.parsing import TOO_MANY

ROW = ("B-1", 4.2, 30, 25)
LOG = ("B-1", "4.200", "30.000", "25.000")
CSV = "Barcode,Length (m),Breadth (cm),Height (cm)\n"


def row(number: int) -> tuple[Any, ...]:
    return (f"B-{number}", 4.2, 30, 25)


def read_row(*cells: Any) -> Read:
    """Read a row among good ones, so that it alone is in doubt."""
    return read(tally(row(101), cells, row(102)))


def barcode_of(cell: Any, number_format: str = "General") -> str | None:
    workbook = book(Tally=[HEADER, (cell, 4.2, 30, 25)])
    workbook["Tally"]["A2"].number_format = number_format
    if isinstance(cell, str):
        workbook["Tally"]["A2"].data_type = "s"
    [[barcode, *_]] = read(save(workbook)).logs
    return barcode


# --- Barcodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number_format", "barcode"),
    [
        (7, "00000", "00007"),
        (123, '"LV-"0000', "LV-0123"),
        (42, "0.00", "42.00"),
        (1001, "General", "1001"),
        (4750123456789, "General", "4750123456789"),
        (999_999_999_999_999, "0", "999999999999999"),
        ("0042", "General", "0042"),
        ("  B\u00a0 1\u200b ", "General", "B 1"),
        ("B\u200e-1\u202c", "General", "B-1"),
        ("be\u0301rzs", "General", "bérzs"),
        ("=1+1 ", "General", "=1+1"),
        ("'0042", "General", "'0042"),
        ("TOTAL-17", "General", "TOTAL-17"),
        ("12E4", "General", "12E4"),
        ("475012345678901234", "@", "475012345678901234"),
    ],
)
def test_a_barcode_is_read_as_the_spreadsheet_shows_it(
    cell: Any, number_format: str, barcode: str
) -> None:
    assert barcode_of(cell, number_format) == barcode


@pytest.mark.parametrize("text", ["4.75012E+12", "4,75012E+12", "1E+15", "4.75e-05"])
def test_a_barcode_in_scientific_notation_is_rejected(text: str) -> None:
    sentence = (
        f"The barcode “{text}” is a number too long for a spreadsheet: Excel has rounded it. "
        "Format its cells as text and enter the barcodes again."
    )
    assert read_row(text, 4, 30, 25).rejects == {3: {"barcode": sentence}}
    assert read(f'{CSV}"{text}",4,30,25\nB-2,4,30,25\n').rejects == {2: {"barcode": sentence}}


@pytest.mark.parametrize("number", [10**15, 475012345678901200, -(10**16)])
def test_a_barcode_of_more_than_15_digits_kept_as_a_number_is_rejected(number: int) -> None:
    workbook = book(Tally=[HEADER, row(1), (number, 4, 30, 25)])
    workbook["Tally"]["A3"].number_format = "0"
    [sentence] = read(save(workbook)).rejects[3].values()
    assert sentence.startswith(f"The barcode “{number}” is a number too long for a spreadsheet")


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (None, "The barcode is missing."),
        ("\u200b", "The barcode is missing."),
        ("x" * 51, "A barcode has 1 to 50 printable characters."),
        ("a\nb", "A barcode has 1 to 50 printable characters."),
        (True, "The barcode is TRUE or FALSE. Format its cell as text."),
        (dt.date(2026, 3, 2), "The barcode is a date or a time. Format its cell as text."),
        ("#N/A", "The barcode is the error #N/A."),
    ],
)
def test_a_bad_barcode_has_its_sentence(cell: Any, sentence: str) -> None:
    assert read_row(cell, 4, 30, 25).rejects == {3: {"barcode": sentence}}


@pytest.mark.parametrize("again", ["B-1", "b-1", " B-1\u00a0", "B\u200b-1"])
def test_the_second_row_of_a_barcode_is_a_reject_that_names_the_first(again: str) -> None:
    result = read(books(One=[HEADER, ROW, row(2)], Two=[HEADER, (again, 5, 31, 26), row(3)]))
    assert [log[0] for log in result.logs] == ["B-1", "B-2", "B-3"]
    [sentence] = result.rejects[2].values()
    assert sentence.endswith("is in row 2 of “One” already.")


def test_the_first_row_with_a_barcode_counts_even_if_it_is_bad() -> None:
    result = read(tally(("B-1", "x", 30, 25), ROW, row(2)))
    assert result.rejects == {
        2: {"length": "The length “x” is not a number."},
        3: {"barcode": "The barcode “B-1” is in row 2 already."},
    }


# --- Measures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (None, "The length is missing."),
        ("four", "The length “four” is not a number."),
        ("1e3", "The length “1e3” is not a number."),
        ("4.2.1", "The length “4.2.1” is not a number."),
        ("4.2 yd", "The length “4.2 yd” is not a number."),
        ("x" * 99, f"The length “{'x' * 60}” is not a number."),
        (True, "The length “TRUE” is not a number."),
        (0, "The length must be greater than 0."),
        (-4.2, "The length must be greater than 0."),
        (4200, "The length is understood as 4,200 m; a log has 0.1 to 40 m."),
        (0.0994, "The length is understood as 0.099 m; a log has 0.1 to 40 m."),
        (40.001, "The length is understood as 40.001 m; a log has 0.1 to 40 m."),
        ("410 ft", "The length is understood as 124.968 m; a log has 0.1 to 40 m."),
        ("#REF!", "The length is the error #REF!."),
        (dt.date(2026, 4, 2), "The length is a date or a time. Format its cell as a number."),
        (dt.time(4, 2), "The length is a date or a time. Format its cell as a number."),
    ],
)
def test_a_bad_measure_has_its_sentence(cell: Any, sentence: str) -> None:
    assert read_row("B-1", cell, 30, 25).rejects == {3: {"length": sentence}}


@pytest.mark.parametrize(("breadth", "height"), [(0.5, 300), (300, 0.5), (0.4996, 300.0004)])
def test_measures_at_the_limits_are_plausible(breadth: float, height: float) -> None:
    assert read_row("B-1", 0.1, breadth, height).rejects == {}
    assert read_row("B-1", 40, breadth, height).rejects == {}


@pytest.mark.parametrize("formula", ["=2+2.2", "=B2", "=SUM(1,2)"])
def test_a_formula_without_a_value_is_a_reject(formula: str) -> None:
    assert read_row("B-1", formula, 30, 25).rejects == {
        3: {
            "length": "The length is a formula without a value. Open the sheet in a spreadsheet "
            "program, save it, and upload it again."
        }
    }


def test_a_column_of_formulas_without_values_is_refused() -> None:
    assert refusal(tally(("B-1", "=2+2.2", 30, 25), ("B-2", "=B2", 30, 25))) == (
        "The column B (“Length (m)”) holds formulas without values. Open the sheet in a "
        "spreadsheet program, save it, and upload it again."
    )


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        (2, "The row has 2 pieces; a log is one. Give each its row."),
        ("12 pcs", "The row has 12 pieces; a log is one. Give each its row."),
        (0, "The row has 0 pieces; a log is one. Give each its row."),
        ("some", "The number of pieces “some” cannot be read. Write it as a whole number."),
        ("1,000", "The number of pieces “1,000” cannot be read. Write it as a whole number."),
    ],
)
def test_a_row_of_several_pieces_is_a_reject(pieces: Any, sentence: str) -> None:
    rows = [(*row(1), 1), (*row(2), pieces), (*row(3), None), (*row(4), "1 pc")]
    result = read(workbook((*HEADER, "Pcs"), *rows))
    assert [log[0] for log in result.logs] == ["B-1", "B-3", "B-4"]
    assert result.rejects == {3: {"pieces": sentence}}


# --- Rows that are no logs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("Sub-total", 8.6, 62, 52), "subtotal"),
        (("TOTAL 2 pcs", 8.6, 62, 52), "total"),
        (("合計", 8.6, 62, 52), "total"),
        ((None, "Kopā:", None, 0.6), "total"),
        ((None, 8.6, None, None, "Sum:"), "total"),
        (("Average", 4.3, 31, 26), "average"),
        (("Min", 4.2, 30, 25), "minimum"),
        (("Carried forward", 8.6, 62, 52), "carried_forward"),
        (("Signature: J. Bērziņš",), "signature"),
        ((None, None, None, None, "checked at the gate"), "note"),
        ((None, "=SUM(B2:B3)", "=SUM(C2:C3)", None), "total"),
        ((None, "=SUBTOTAL(9,B2:B3)", None, None), "total"),
        (("Lorry 1", "=SUM(B2:B3)", 30, 25), "total"),
        ((None, "=AVERAGE(B2:B3)", None, None), "average"),
    ],
)
def test_rows_that_are_no_logs_are_left_out_and_counted(
    cells: tuple[Any, ...], reason: str
) -> None:
    result = read(tally(ROW, row(2), cells, row(3)))
    assert [log[0] for log in result.logs] == ["B-1", "B-2", "B-3"]
    assert (result.left_out, result.rejects) == ({reason: 1}, {})


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (("", "Barcode"), ("Total", "2")),
        (("No.", "Barcode"), ("Kopā", 2)),
        (("Species", "Barcode"), ("Summe", "2")),
        (("Barcode", "Grade"), (2, "Sum:")),
    ],
)
def test_a_total_is_told_by_a_word_beside_the_number_of_logs(
    header: tuple[str, ...], cells: tuple[Any, ...]
) -> None:
    rows = [("oak", "B-1") if header[0] != "Barcode" else ("B-1", "oak"), cells]
    content = workbook((*header, *HEADER[1:]), *((*each, 4.2, 30, 25) for each in rows))
    result = read(content)
    assert (result.logs, result.left_out) == ([LOG], {"total": 1})


def test_words_in_other_columns_leave_no_log_out() -> None:
    rows = [(*row(1), "total loss"), (*row(2), "Average"), (*row(3), "Signature")]
    assert len(read(workbook((*HEADER, "Remark"), *rows)).logs) == 3


def test_a_remark_left_of_a_barcode_leaves_no_log_out() -> None:
    rows = [("Signature", *row(1)), ("Note: split", *row(2)), ("Total", *row(3))]
    result = read(workbook(("Remark", *HEADER), *rows))
    assert [log[0] for log in result.logs] == ["B-1", "B-2", "B-3"]
    labelled = read(workbook(("Remark", *HEADER), (None, *row(1)), ("Total", *row(2))))
    assert labelled.left_out == {"total": 1}


def test_a_quality_left_of_a_barcode_is_no_label() -> None:
    qualities = ("Media", "Medel", "Mittel", "B")
    rows = [(quality, *row(number)) for number, quality in enumerate(qualities)]
    result = read(workbook(("Quality", *HEADER), *rows, ("Total", 4, 16.8, 120, 100)))
    assert (len(result.logs), result.left_out) == (4, {"total": 1})


@pytest.mark.parametrize(
    ("label", "count", "reason"),
    [
        ("Total", "2.0", "total"),
        ("Total spruce", "2PC", "total"),
        ("Average", "2ST", "average"),
    ],
)
def test_a_sum_in_a_column_of_qualities_is_no_log(label: str, count: str, reason: str) -> None:
    rows = [("Oak", *row(1)), ("Oak", *row(2)), (label, count, 8.4, 61, 50)]
    result = read(workbook(("Species", *HEADER), *rows))
    assert ([log[0] for log in result.logs], result.left_out) == (["B-1", "B-2"], {reason: 1})


def test_a_text_across_the_columns_is_a_note() -> None:
    workbook = book(Tally=[HEADER, ROW, ["Loaded at the port of Riga"], row(2)])
    workbook["Tally"].merge_cells("A3:D3")
    assert read(save(workbook)).left_out == {"note": 1}


def test_rows_that_are_only_numbered_are_empty() -> None:
    result = read(workbook(("No.", *HEADER), (1, *ROW), (2,), (3, None, None, None, None)))
    assert (result.logs, result.left_out) == ([LOG], {"empty": 2})


def test_a_row_without_a_barcode_or_without_measures_is_a_reject() -> None:
    assert read(tally(ROW, (None, 4.2, 30, 25), ("B-2",))).rejects == {
        3: {"barcode": "The barcode is missing."},
        4: {
            "length": "The length is missing.",
            "breadth": "The breadth is missing.",
            "height": "The height is missing.",
        },
    }


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["B-1,4,2,30,25", "B-1,4.2,30,25,5", 'B-1,"4.2",30,25,,x'])
def test_a_csv_row_with_more_fields_than_its_header_is_a_reject(line: str) -> None:
    result = read(f"{CSV}{line}\nB-2,4.2,30,25,,\n")
    assert [log[0] for log in result.logs] == ["B-2"]
    assert result.rejects == {2: {"row": rules.MORE_FIELDS}}


def test_a_csv_row_that_cannot_be_split_is_a_reject_alone() -> None:
    result = read(f'{CSV.strip()},Remark\nB-1,4.2,30,25,"8" knot\nB-2,4.2,30,25,ok\n')
    assert [log[0] for log in result.logs] == ["B-2"]
    assert list(result.rejects[2]) == ["row"]


def test_a_sheet_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = tally(*map(row, range(5)))
    monkeypatch.setattr(rules, "MAX_ROWS", 5)
    assert len(read(content).logs) == 5
    monkeypatch.setattr(rules, "MAX_ROWS", 4)
    assert refusal(content) == TOO_MANY
