"""How a temperature file was read, in words."""

from __future__ import annotations

from timba.web.read_as import describe_answers, describe_reading


def test_each_assumption_has_its_words_and_its_evidence() -> None:
    read_as = {
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
            "unit": "The header says °F.",
            "columns.temperature": "Column 3 is “Temp”.",
            "columns.date": "Column 1 is “Datum”.",
        },
    }
    facts = describe_reading(read_as)
    assert [(fact.label, fact.value, fact.evidence) for fact in facts] == [
        ("Letters are stored as", "Central European (Windows-1250)", ""),
        ("Between the fields", "semicolons", ""),
        ("In front of decimals", "commas", ""),
        (
            "Columns",
            "no city, temperature in column C, date in column A, time in column B",
            "Column 3 is “Temp”. Column 1 is “Datum”.",
        ),
        ("Unit", "°F", "The header says °F."),
        ("Order of the dates", "day first", ""),
        ("Times without a zone", "UTC−03:30", ""),
        ("Above the readings", "1 line", ""),
        ("City of all readings", "41", ""),
    ]


def test_answers_are_short_texts_and_what_is_unknown_stays_as_it_is() -> None:
    read_as = {
        "dates": "month-first",
        "zone": "UTC",
        "encoding": "koi8-r",
        "columns": {"temperature": 4},
        "skipped_lines": 0,
    }
    assert describe_answers(read_as) == [
        "letters are stored as: koi8-r",
        "temperature in column D",
        "order of the dates: month first",
        "times without a zone: UTC",
    ]
