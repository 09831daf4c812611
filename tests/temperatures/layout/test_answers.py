"""Answers about a temperature file are checked before they are taken."""

from __future__ import annotations

from typing import Any

import pytest

from timba.files.answers import BadAnswer
from timba.files.processors.base import FileRefused
from timba.temperatures.layout.answers import check_answers
from timba.temperatures.layout.decisions import decide_layout
from timba.temperatures.layout.layouts import PLAIN, Columns, DateOrder, Layout, Unit

ENCODINGS = "utf-8, utf-8-sig, utf-16-le, utf-16-be, cp1250, cp1251, cp1252 or cp1257"
FIELDS = "columns, unit, dates, zone, city_id, decimal, delimiter or encoding"
NAMES = "city_id, temperature, timestamp, date or time"


@pytest.mark.parametrize(
    ("read_as", "sentence"),
    [
        (None, "“read_as” is an object such as {“dates”: “day-first”}."),
        (
            {"units": "C"},
            f"“units” is no answer. Give {FIELDS}.",
        ),
        ({"encoding": "latin1"}, f"“encoding” is one of {ENCODINGS}."),
        ({"decimal": ";"}, "“decimal” is one of . or ,."),
        ({"unit": "R"}, "“unit” is one of C, F or K."),
        ({"unit": ["C"]}, "“unit” is one of C, F or K."),
        ({"dates": "dmy"}, "“dates” is one of year-first, day-first or month-first."),
        ({"delimiter": ":"}, "“delimiter” is a comma, a semicolon, a tab or a vertical bar."),
        ({"delimiter": [","]}, "“delimiter” is a comma, a semicolon, a tab or a vertical bar."),
        ({"zone": "EET"}, "“zone” is UTC, or an offset from UTC such as +02:00."),
        ({"zone": "+2"}, "“zone” is UTC, or an offset from UTC such as +02:00."),
        ({"zone": "+14:01"}, "“zone” is UTC, or an offset from UTC such as +02:00."),
        ({"zone": 2}, "“zone” is UTC, or an offset from UTC such as +02:00."),
        ({"city_id": 0}, "“city_id” is a whole number from 1 to 2147483647."),
        ({"city_id": 2**31}, "“city_id” is a whole number from 1 to 2147483647."),
        ({"city_id": True}, "“city_id” is a whole number from 1 to 2147483647."),
        ({"city_id": "7"}, "“city_id” is a whole number from 1 to 2147483647."),
        ({"columns": 3}, "“columns” names columns by number, such as {“temperature”: 2}."),
        ({"columns": {"temp": 1}}, f"“columns.temp” is no column. Name {NAMES}."),
        ({"columns": {"time": 0}}, "“columns.time” is the number of a column, from 1."),
        (
            {"columns": {"temperature": 2, "timestamp": 2}},
            "“columns.temperature” and “columns.timestamp” are the same column.",
        ),
        (
            {"columns": {"timestamp": 2, "time": 3}},
            "“columns” names a timestamp, or a date and a time, not both.",
        ),
    ],
)
def test_an_answer_that_is_not_valid_is_named(read_as: Any, sentence: str) -> None:
    with pytest.raises(BadAnswer) as error:
        check_answers(read_as)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("read_as", "checked"),
    [
        ({"city_id": None, "unit": "F"}, {"unit": "F"}),
        ({"columns": {"city_id": None}}, {"columns": {"city_id": None}}),
        ({"columns": {"city_id": 1}}, {"columns": {"city_id": 1}}),
        (
            {"columns": {"timestamp": None, "date": 4, "time": 2}},
            {"columns": {"date": 4, "time": 2}},
        ),
    ],
)
def test_none_takes_an_answer_back_but_of_the_cities_says_that_there_is_no_column(
    read_as: dict[str, Any], checked: dict[str, Any]
) -> None:
    assert check_answers(read_as) == checked


def test_the_reading_of_a_result_can_be_sent_back() -> None:
    text = "x\ntemp;at;station\n21,5;31.01.2026 10:00;7\n"
    decision = decide_layout(text.encode())
    assert decision is not None
    assert decision.read_as is not None
    answers = check_answers(decision.read_as)
    assert answers == {
        "columns": {"city_id": 3, "temperature": 1, "timestamp": 2},
        "unit": "C",
        "dates": "day-first",
        "zone": "UTC",
        "decimal": ",",
        "delimiter": ";",
        "encoding": "utf-8",
    }
    again = decide_layout(text.encode(), read_as=answers)
    assert again is not None
    assert (again.layout, again.questions) == (decision.layout, ())


@pytest.mark.parametrize(
    ("text", "read_as", "layout"),
    [
        ("7,1,2026-01-31 10:00", {"unit": "F"}, Layout(unit=Unit.FAHRENHEIT)),
        (
            "city,temp °C,at\n7,1,2026-01-31 10:00",
            {"unit": "K"},
            Layout(unit=Unit.KELVIN, skipped_lines=1),
        ),
        ("7,1,31.01.2026 10:00", {"dates": "month-first"}, Layout(dates=DateOrder.MONTH_FIRST)),
        ("7,1,2026-01-31 10:00", {"zone": "-05:30"}, Layout(zone_offset=-330)),
        ("7;1;2026-01-31 10:00", {"decimal": ","}, Layout(delimiter=";", decimal=",")),
        ("7,1,2026-01-31 10:00", {"encoding": "cp1257"}, Layout(encoding="cp1257")),
        ("7,1,2026-01-31 10:00", {"encoding": "utf-8-sig"}, PLAIN),
        (
            "7,8,2026-01-31 10:00",
            {"columns": {"city_id": 2, "temperature": 1}},
            Layout(columns=Columns(city=1, temperature=0)),
        ),
        ("7,8,2026-01-31 10:00", {"columns": {"temperature": 2}}, PLAIN),
        (
            "1,2026-01-31 10:00",
            {"city_id": 41, "columns": {"temperature": 1, "timestamp": 2}},
            Layout(columns=Columns(city=None, temperature=0, timestamp=1), width=2, city_id=41),
        ),
        (
            "qwe;rty\n1;2026-01-31 10:00",
            {"city_id": 41, "columns": {"temperature": 1, "timestamp": 2}},
            Layout(
                delimiter=";",
                columns=Columns(city=None, temperature=0, timestamp=1),
                width=2,
                city_id=41,
                skipped_lines=1,
            ),
        ),
        (
            "city;at;temp\nRiga;2026-01-31 10:00;1\nCesis;2026-01-31 10:00;2",
            {"city_id": 41, "columns": {"city_id": None}},
            Layout(
                delimiter=";",
                columns=Columns(city=None, temperature=2, timestamp=1),
                city_id=41,
                skipped_lines=1,
            ),
        ),
    ],
)
def test_answers_are_taken_whatever_the_file_says(
    text: str, read_as: dict[str, Any], layout: Layout
) -> None:
    decision = decide_layout(text.encode(), read_as=read_as)
    assert decision is not None
    assert (decision.layout, decision.questions) == (layout, ())
    assert decision.read_as is not None


def test_an_answer_is_told_as_the_evidence() -> None:
    text = "city;qwe;at\n7;1;31.01.2026 10:00\n7;1;01.31.2026 10:00\n"
    read_as = {
        "columns": {"temperature": 2},
        "unit": "F",
        "dates": "day-first",
        "zone": "+02:00",
        "decimal": ",",
        "encoding": "cp1252",
    }
    decision = decide_layout(text.encode(), read_as=read_as)
    assert decision is not None
    assert decision.read_as is not None
    assert decision.read_as["evidence"] == {
        "columns.city_id": "City in column A (“city”), from line 1.",
        "columns.temperature": "Temperature in column B (“qwe”), as answered.",
        "columns.timestamp": "Timestamp in column C (“at”), from line 1.",
        "decimal": "Decimals begin with “,”, as answered.",
        "unit": "Temperatures in °F, as answered.",
        "dates": "Dates begin with the day, as answered.",
        "zone": "Times in UTC+02:00, as answered.",
        "encoding": "The encoding is Windows-1252, as answered.",
    }


def test_an_answer_that_names_no_column_of_the_file_is_refused() -> None:
    with pytest.raises(FileRefused) as refusal:
        decide_layout(b"7,1,2026-01-31 10:00\n", read_as={"columns": {"temperature": 4}})
    assert str(refusal.value) == (
        "The answer “columns.temperature” is 4, but the file has no such column. It has 3."
    )
