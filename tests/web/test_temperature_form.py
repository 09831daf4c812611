"""The form that says how a temperature file is read: what of it becomes an answer."""

from __future__ import annotations

from typing import Any

from timba.files.models import File
from timba.web.temperature_form import TWO_TIMES, TemperatureForm

FIELDS = ("city_id", None, "temperature", "timestamp")


def column(number: int, field: str | None) -> dict[str, Any]:
    letters = "ABCDEFG"[number - 1]
    return {"number": number, "letters": letters, "header": f"Title {number}", "field": field}


def read(*questions: dict[str, Any], fields: Any = FIELDS, **read_as: Any) -> File:
    """Return a file with these questions; without any, one that ended as SUCCESS."""
    columns = [column(number, field) for number, field in enumerate(fields, start=1)]
    asks = [{"columns": columns, "rows": [[1, ["7", "x", "3,4", "03.04.2026 05:06"]]]}]
    result = {"questions": list(questions), "read_as": read_as or None}
    return File(
        kind="temperatures",
        status="FAILURE" if questions else "SUCCESS",
        result=result,
        asks=asks,
    )


def question(field: str, *choices: str, sentence: str = "Which?") -> dict[str, Any]:
    return {"field": field, "sentence": sentence, "choices": list(choices)}


def sent(file: File, **data: str) -> TemperatureForm:
    """Return a form that is sent as it was shown but for `data`."""
    form = TemperatureForm(file=file)
    shown = {name: form.initial.get(name) or "" for name in form.fields}
    changes = {name.replace("column_", "0-column-"): value for name, value in data.items()}
    return TemperatureForm({**shown, **changes}, file=file)


def answers(file: File, **data: str) -> dict[str, Any]:
    form = sent(file, **data)
    assert form.is_valid(), form.errors
    return form.read_as


def test_only_what_is_changed_is_an_answer() -> None:
    assert answers(read(), unit="F") == {"unit": "F"}
    assert answers(read(), zone="+02:00", dates="day-first") == {
        "zone": "+02:00",
        "dates": "day-first",
    }
    assert answers(read(zone="+02:00", unit="F"), zone="UTC") == {"zone": "UTC"}
    assert sent(read()).errors == {"__all__": ["Change what was understood wrongly first."]}


def test_after_an_attempt_that_failed_all_that_is_chosen_is_an_answer() -> None:
    file = read(unit="F", zone="+02:00")
    file.error = "No unit is named. In which unit are the temperatures?"
    assert answers(file) == {"unit": "F", "dates": "year-first", "zone": "+02:00"}


def test_what_is_asked_is_not_filled_in_and_offers_what_the_question_offers() -> None:
    sentence = "Is 03.04.2026 the 3rd of April or the 4th of March?"
    asked = question("dates", "month-first", "day-first", sentence=sentence)
    file = read(asked, dates="day-first", unit="C")
    assert [key for key, _ in TemperatureForm(file=file).fields["dates"].choices] == [  # type: ignore[attr-defined]
        "",
        "month-first",
        "day-first",
    ]
    assert sent(file).errors == {"dates": [sentence]}
    assert answers(file, dates="day-first") == {"dates": "day-first"}
    assert sent(file, dates="year-first").errors == {
        "dates": ["Select a valid choice. year-first is not one of the available choices."]
    }


def test_columns_are_answered_by_number_and_one_that_is_none_now_by_none() -> None:
    file = read(question("columns.temperature"), fields=("city_id", None, None, "timestamp"))
    assert answers(file, column_2="temperature") == {"columns": {"temperature": 2}}
    guessed = read(question("columns.temperature"))
    assert sent(guessed).errors == {"__all__": ["Choose the column of the temperatures."]}
    assert answers(guessed, column_3="temperature") == {"columns": {"temperature": 3}}
    assert answers(read(), column_4="date", column_2="time") == {
        "columns": {"timestamp": None, "date": 4, "time": 2}
    }
    assert answers(read(), column_1="temperature", column_3="city_id") == {
        "columns": {"city_id": 3, "temperature": 1}
    }


def test_a_column_that_is_not_shown_stays_unless_another_is_chosen() -> None:
    columns = {"city_id": 1, "temperature": 60, "timestamp": 4}
    file = read(fields=("city_id", None, None, "timestamp"), columns=columns)
    assert answers(file, unit="F") == {"unit": "F"}
    assert answers(file, column_2="temperature") == {"columns": {"temperature": 2}}


def test_the_city_is_a_column_or_one_for_all_readings() -> None:
    file = read(question("city_id"), fields=(None, "temperature", "timestamp"))
    missing = "Give the city of all readings, or choose the column of the cities."
    assert sent(file).errors == {"city_id": [missing]}
    assert answers(file, city_id="41") == {"city_id": 41}
    assert answers(file, column_1="city_id") == {"columns": {"city_id": 1}}
    assert answers(read(), column_1="", city_id="41") == {
        "columns": {"city_id": None},
        "city_id": 41,
    }
    given = read(city_id=41, fields=(None, "temperature", "timestamp"))
    assert answers(given, column_1="city_id", city_id="") == {
        "columns": {"city_id": 1},
        "city_id": None,
    }
    for number in ("0", "2147483648"):
        assert sent(file, city_id=number).errors == {
            "city_id": ["A city's number is from 1 to 2147483647."]
        }


def test_columns_that_contradict_each_other_or_are_missing_are_told() -> None:
    for changes, sentence in (
        (
            {"column_2": "temperature"},
            "Two columns are chosen as the temperature. Choose one of them.",
        ),
        ({"column_3": ""}, "Choose the column of the temperatures."),
        (
            {"column_4": "date"},
            "Choose the column of the date and time, or one of the date and one of the time.",
        ),
        (
            {"column_2": "time"},
            TWO_TIMES,
        ),
    ):
        assert sent(read(), **changes).errors == {"__all__": [sentence]}


def test_an_encoding_is_offered_where_it_is_asked_or_was_one_of_several() -> None:
    assert "encoding" not in TemperatureForm(file=read()).fields
    asked = read(question("encoding", "cp1250", "cp1252"))
    assert answers(asked, encoding="cp1252") == {"encoding": "cp1252"}
    assert "encoding" in TemperatureForm(file=read(encoding="cp1252")).fields


def test_zones_are_offered_from_west_to_east_with_that_of_the_file() -> None:
    zones = [zone for zone, _ in TemperatureForm(file=read(zone="+01:17")).fields["zone"].choices]  # type: ignore[attr-defined]
    assert zones[0] == "-12:00"
    assert zones[-1] == "+14:00"
    assert zones[zones.index("UTC") :][:3] == ["UTC", "+01:00", "+01:17"]
    asked = read(question("zone", "+02:00", "+03:00"))
    zones = [zone for zone, _ in TemperatureForm(file=asked).fields["zone"].choices]  # type: ignore[attr-defined]
    assert zones[:4] == ["", "+02:00", "+03:00", "-12:00"]
    assert answers(asked, zone="+05:30") == {"zone": "+05:30"}
