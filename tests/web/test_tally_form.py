"""The form that says how a sheet is read: what of it becomes an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timba.files.models import File
from timba.web.tally_form import TallyForm

COLUMNS = [
    {"number": 1, "letters": "A", "header": "Tag", "field": "barcode"},
    {"number": 2, "letters": "B", "header": "Len", "field": "length"},
    {"number": 3, "letters": "C", "header": "W", "field": None},
    {"number": 4, "letters": "D", "header": "Kind", "field": "pieces"},
]
HEAD = {
    "table": 1,
    "sheet": "Tally",
    "header_row": 1,
    "columns": COLUMNS,
    "rows": [[2, ["T-1", "12", "8", ""]]],
}

READ = {"sheet": "Tally"}


def asking(*fields: str, tables: Sequence[Any] = (), **read_as: Any) -> File:
    """Return a file that asks about these fields; of several tables, an empty one has no logs."""
    questions = [{"field": field, "sentence": "Which?", "choices": []} for field in fields]
    if tables:
        read_as["tables"] = tables
    asks = [{**HEAD, "table": i} for i, table in enumerate(tables or [HEAD], start=1) if table]
    result = {"questions": questions, "read_as": read_as}
    return File(kind="tally", status="FAILURE", result=result, asks=asks)


def answers(file: File, **data: str) -> dict[str, Any]:
    """Return the answers of a form that is sent as it was shown but for `data`."""
    form = TallyForm(file=file)
    shown = {name: form.initial.get(name) or "" for name in form.fields}
    sent = TallyForm(
        {**shown, **{name.replace("_", "-"): v for name, v in data.items()}}, file=file
    )
    assert sent.is_valid(), sent.errors
    return sent.read_as


def test_only_what_is_asked_or_changed_is_an_answer() -> None:
    file = asking("units.breadth", units={"length": "m"}, decimal=".")
    in_mm = {"0_unit_breadth": "mm"}
    assert answers(file, **in_mm) == {"units": {"breadth": "mm"}}
    assert answers(file, **in_mm, **{"0_column_3": "breadth"}) == {
        "columns": {"breadth": 3},
        "units": {"breadth": "mm"},
    }
    assert answers(file, **in_mm, decimal=",")["decimal"] == ","


def test_a_question_of_all_units_is_answered_by_all_of_them() -> None:
    file = asking("units", units={"length": "m", "breadth": "cm", "height": "cm"})
    assert answers(file) == {"units": {"length": "m", "breadth": "cm", "height": "cm"}}


def test_barcodes_are_made_only_where_that_is_asked() -> None:
    file = asking("columns.barcode")
    assert answers(file, **{"0_makes_barcodes": "on"}) == {"columns": {"barcode": None}}
    assert answers(file) == {"columns": {"barcode": 1}}
    assert "0-makes-barcodes" not in TallyForm(file=asking("units")).fields


def test_answers_of_several_tables_are_in_their_order() -> None:
    inches = {"units": {"height": "in"}}
    file = asking("tables.2.units.height", tables=[READ, READ])
    assert answers(file, **{"1_unit_height": "in"}) == {"tables": [{}, inches]}
    file = asking("tables.2.units.height", tables=[{"units": {"height": "cm"}}, inches])
    assert answers(file) == {"tables": [{}, inches]}


def test_a_table_that_was_left_out_keeps_its_number() -> None:
    feet = {"units": {"length": "ft"}}
    file = asking(tables=[{}, {"units": {"length": "m"}}, {"units": {"length": "m"}}])
    assert answers(file, **{"1_unit_length": "ft"}) == {"tables": [{}, {}, feet]}
    file = asking("tables.2.columns.barcode", tables=[{}, READ])
    makes = {"columns": {"barcode": None}}
    assert answers(file, **{"0_makes_barcodes": "on"}) == {"tables": [{}, makes]}


def test_the_decimal_mark_of_one_table_is_answered_for_it_alone() -> None:
    file = asking("tables.2.decimal", decimal=",", tables=[READ, READ])
    assert answers(file, **{"1_decimal": "."}) == {"tables": [{}, {"decimal": "."}]}
    assert {"0-decimal", "decimal"}.isdisjoint(TallyForm(file=file).fields)


def test_an_encoding_is_offered_where_it_is_asked_or_was_one_of_several() -> None:
    assert "encoding" not in TallyForm(file=asking("units")).fields
    assert answers(asking("encoding"), encoding="cp1257") == {"encoding": "cp1257"}
    assert "encoding" in TallyForm(file=asking("units", encoding="cp1252")).fields


def test_a_form_that_answers_nothing_and_one_that_contradicts_itself_are_refused() -> None:
    file = asking("units.height")
    nothing = TallyForm({"0-column-1": "barcode", "0-column-2": "length"}, file=file)
    assert nothing.errors == {"__all__": ["Choose what the sheet leaves open first."]}
    twice = {"0-column-1": "length", "0-column-2": "length", "0-unit-height": "in"}
    assert TallyForm(twice, file=file).errors == {
        "__all__": ["Two columns are chosen as the length. Choose one of them."]
    }


def test_a_question_about_all_tables_of_one_header_is_answered_for_each() -> None:
    file = asking("units", "columns.barcode", tables=[READ, READ])
    chosen = {f"{table}_unit_{name}": "mm" for table in (0, 1) for name in ("breadth", "height")}
    makes = {"0_makes_barcodes": "on", "1_makes_barcodes": "on"}
    own = {"columns": {"barcode": None}, "units": {"breadth": "mm", "height": "mm"}}
    assert answers(file, **chosen, **makes) == {"tables": [own, own]}
