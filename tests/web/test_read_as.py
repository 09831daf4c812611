"""How a temperature file was read, in words."""

from __future__ import annotations

from timba.web.read_as import describe_answers, describe_reading


def test_each_assumption_is_told_by_its_evidence_or_in_words() -> None:
    facts = describe_reading(
        {
            "encoding": "cp1250",
            "delimiter": ";",
            "decimal": ",",
            "columns": {"city_id": None, "temperature": 3, "date": 1, "time": 2},
            "unit": "F",
            "dates": "day-first",
            "zone": "-03:30",
            "skipped_lines": 1,
            "city_id": 41,
            "profile": 7,
            "evidence": {
                "unit": "Temperatures in °F, from line 1.",
                "columns.temperature": "Temperature in column C (“Temp”), line 1.",
                "columns.date": "Date in column A (“Datum”), line 1.",
            },
        }
    )
    assert [(fact.label, fact.text) for fact in facts] == [
        ("Letters are stored as", "Central European (Windows-1250)"),
        ("Between the fields", "semicolons"),
        ("In front of decimals", "commas"),
        (
            "Columns",
            "Temperature in column C (“Temp”), line 1. Date in column A (“Datum”), line 1.",
        ),
        ("Unit", "Temperatures in °F, from line 1."),
        ("Order of the dates", "day first"),
        ("Times without a zone", "UTC−03:30"),
        ("Above the readings", "1 line"),
        ("City of all readings", "41"),
    ]


def test_answers_are_short_texts_and_what_is_unknown_stays_as_it_is() -> None:
    read_as = {
        "dates": "month-first",
        "zone": "UTC",
        "encoding": "koi8-r",
        "columns": {"city_id": None, "temperature": 4},
        "skipped_lines": 0,
    }
    assert describe_answers(read_as) == [
        "letters are stored as: koi8-r",
        "no city, temperature in column D",
        "order of the dates: month first",
        "times without a zone: UTC",
    ]
