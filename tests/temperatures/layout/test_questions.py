"""What the head of a temperature file leaves open is asked, in a sentence that says why."""

from __future__ import annotations

from typing import Any

import pytest

from timba.temperatures.layout.decisions import decide_layout

AT = "2026-01-31 10:00"
NO_CITY = "No column says of which city the readings are. Give the number of the city."
UNIT = "In which unit are the temperatures?"
ZONE = "does not say for certain how far the times are from UTC. In which zone are they?"
USUAL = ("UTC", "+01:00", "+02:00", "+03:00")


@pytest.mark.parametrize(
    ("text", "field", "sentence", "choices"),
    [
        ("at,temp\n2026-01-31 10:00,1\n", "city_id", NO_CITY, ()),
        # A column that counts the rows is not one of cities, nor is one of other things.
        (f"id,temp,at\n1,5,{AT}\n2,5,{AT}\n", "city_id", NO_CITY, ()),
        (f"record,temp,at\n3,5,{AT}\n2,5,{AT}\n1,5,{AT}\n", "city_id", NO_CITY, ()),
        (f"scan,temp,at\n1,5,{AT}\n2,5,{AT}\n", "city_id", NO_CITY, ()),
        (f"pressure,temp,at\n1013,5,{AT}\n", "city_id", NO_CITY, ()),
        (f"station,temp,at\nRiga,5,{AT}\nRiga,5,{AT}\n", "city_id", NO_CITY, ()),
        (
            f"station,temp,at\nRiga,5,{AT}\nCesis,5,{AT}\n",
            "columns.city_id",
            (
                "The column A (“station”) names several cities, such as “Riga” and “Cesis”, but "
                "not by number. Which column has their numbers? Give its number; the first column "
                "is 1. If there is none, add it and upload the file again."
            ),
            (),
        ),
        (
            f"weather city group,temp,at,x\n7,5,{AT},1\n",
            "columns.city_id",
            (
                "The column A (“weather city group”) may be of cities, or of something else. Does "
                "it hold the numbers of the cities?"
            ),
            (1, None),
        ),
        (
            f"site,station,temp,at\n7,8,5,{AT}\n",
            "columns.city_id",
            (
                "The columns A (“site”) and B (“station”) both say city. Which one is the city of "
                "the readings?"
            ),
            (1, 2),
        ),
        (
            f"city,at,temp 1,temp 2\n7,{AT},1,2\n",
            "columns.temperature",
            (
                "The columns C (“temp 1”) and D (“temp 2”) both say temperature. Which one is the "
                "temperature of the readings?"
            ),
            (3, 4),
        ),
        (
            f"city,at,temp min,temp avg,temp max\n7,{AT},1,2,3\n",
            "columns.temperature",
            (
                "The columns C (“temp min”), D (“temp avg”) and E (“temp max”) all say "
                "temperature. Which one is the temperature of the readings?"
            ),
            (3, 4, 5),
        ),
        (
            f"city,at,temp °C,temp °F\n7,{AT},1,70\n",
            "columns.temperature",
            (
                "The columns C (“temp °C”) and D (“temp °F”) both say temperature. Which one is "
                "the temperature of the readings?"
            ),
            (3, 4),
        ),
        (
            f"city,humidity,at\n7,45,{AT}\n",
            "columns.temperature",
            (
                "No column says that it holds the temperature. Give the number of the column that "
                "holds it; the first column is 1."
            ),
            (),
        ),
        (
            f"city,at,qwe,rty,name\n7,{AT},45,46,x\n",
            "columns.temperature",
            "No column says that it holds the temperature. Which one is it?",
            (3, 4),
        ),
        (
            "city,temp,read at,stored at\n7,1,2026-01-31 10:00,2026-01-31 11:00\n".replace(
                "stored", "observed"
            ),
            "columns.timestamp",
            (
                "The columns C (“read at”) and D (“observed at”) both say time. Which one is the "
                "time of the readings?"
            ),
            (3, 4),
        ),
        # A spreadsheet writes a mere date as midnight: the time is elsewhere.
        (
            "city,date,time,temp\n7,2026-01-31 00:00:00,10:00,1\n",
            "columns.timestamp",
            (
                "The columns B (“date”) and C (“time”) both say time. Which one is the time of the "
                "readings?"
            ),
            (2, 3),
        ),
        (
            f"city,temp,qwe,rty\n7,1,{AT},x\n",
            "columns.timestamp",
            "No column says that it holds the time. Which one is it?",
            (3,),
        ),
        (
            f"7,280.5,{AT}\n7,281,{AT}\n7,1,{AT}\n",
            "unit",
            (
                "No unit is named, and 2 of the first 3 temperatures lie outside −90 to 150 °C, "
                f"such as 280.5 on line 1. {UNIT}"
            ),
            ("K", "F", "C"),
        ),
        (
            f"7,280.5,{AT}\n",
            "unit",
            (
                "No unit is named, and the first temperature, 280.5 on line 1, lies outside −90 to "
                f"150 °C. {UNIT}"
            ),
            ("K", "F", "C"),
        ),
        (
            f"city,temp (0.1 °C),at\n7,215,{AT}\n",
            "unit",
            f"The unit “0.1 °C” of the temperature, from line 1, is not known. {UNIT}",
            ("C", "F", "K"),
        ),
        (
            f"city,at,unit,value\n7,{AT},C,21\n7,{AT},F,70\n",
            "unit",
            f"The unit “C/F” of the temperature, from column C (“unit”), is not known. {UNIT}",
            ("C", "F", "K"),
        ),
        (
            f"city,at,unit,temp °C\n7,{AT},F,70\n",
            "unit",
            (
                "The file names different units for the temperature: °C from line 1 and °F from "
                f"column C (“unit”). {UNIT}"
            ),
            ("C", "F", "K"),
        ),
        (
            "city,date,hour,temp\n7,2026-01-31 00:00,8,1\n",
            "columns.timestamp",
            (
                "The columns B (“date”) and C (“hour”) both say time. Which one is the time of the "
                "readings?"
            ),
            (2, 3),
        ),
        (
            f"city,temp,local time\n7,1,{AT}\n",
            "zone",
            f"“local time”, from line 1, {ZONE}",
            USUAL,
        ),
        (
            f"city,temp,time (EET)\n7,1,{AT}\n",
            "zone",
            f"“EET”, from line 1, {ZONE}",
            ("+02:00", "+03:00"),
        ),
        (
            f"Time zone: (UTC+02:00) Helsinki\ncity,temp,at\n7,1,{AT}\n",
            "zone",
            f"“(UTC+02:00) Helsinki”, from line 1, {ZONE}",
            USUAL,
        ),
        # Open-Meteo.
        (
            (
                "latitude,utc_offset_seconds,timezone,timezone_abbreviation\n"
                f"56.9,7200,Europe/Riga,EET\n\ncity,time,temperature (°C)\n7,{AT},1\n"
            ),
            "zone",
            f"“EET”, from line 2, {ZONE}",
            ("+02:00", "+03:00"),
        ),
        (
            f"# All times in EST\ncity,temp,at\n7,1,{AT}\n",
            "zone",
            f"“EST”, from line 1, {ZONE}",
            ("-05:00", "-04:00"),
        ),
        (
            f"Exported in UTC-3\ncity,temp,at\n7,1,{AT}\n",
            "zone",
            f"“UTC-3”, from line 1, {ZONE}",
            ("-03:00", *USUAL),
        ),
        (
            f"Times are local time\ncity,temp,at\n7,1,{AT}\n",
            "zone",
            f"“local time”, from line 1, {ZONE}",
            USUAL,
        ),
        (
            f"city,temp,at,tz\n7,1,{AT},+02:00\n7,1,{AT},+03:00\n",
            "zone",
            f"“+02:00/+03:00”, from column D (“tz”), {ZONE}",
            USUAL,
        ),
        (
            "city;temp;at\n7;1;02.03.2026 10:00\n",
            "dates",
            (
                "“02.03.2026 10:00” on line 2 can be day first or month first, and no line of the "
                "file decides which. In which order are the dates?"
            ),
            ("day-first", "month-first"),
        ),
        (
            "city;temp;at\n7;1;02.03.04 10:00\n",
            "dates",
            (
                "“02.03.04 10:00” on line 2 can be day first, month first or year first, and no "
                "line of the file decides which. In which order are the dates?"
            ),
            ("day-first", "month-first", "year-first"),
        ),
        (
            "city;temp;at\n7;1;31.01.2026 10:00\n7;1;02.03.2026 10:00\n7;1;01.31.2026 10:00\n",
            "dates",
            (
                "“31.01.2026 10:00” on line 2 can only be day first, “01.31.2026 10:00” on line 4 "
                "only month first. In which order are the dates?"
            ),
            ("day-first", "month-first"),
        ),
    ],
)
def test_what_is_open_is_asked(
    text: str, field: str, sentence: str, choices: tuple[Any, ...]
) -> None:
    decision = decide_layout(text.encode())
    assert decision is not None
    [question] = decision.questions
    assert (question.field, question.sentence, question.choices) == (field, sentence, choices)


@pytest.mark.parametrize(
    "text",
    [
        # Half of the values are plausible.
        f"7,280.5,{AT}\n7,1,{AT}\n",
        # The header says so.
        f"city,temp °C,at\n7,280,{AT}\n",
        # The offset of each time says more than a name in the header.
        f"city,temp,local time\n7,1,{AT}Z\n7,1,{AT} +02:00\n",
        # A header in °C beside the same in °F.
        f"city,at,temp °C,temp °F\n7,{AT},21.5,70.7\n7,{AT},-40,-40\n",
        # One sensor, and what is computed from it.
        f"city,at,temp,dew point °C,heat index\n7,{AT},1,2,3\n",
        f"city,at,temp,temp min,temp max\n7,{AT},1,2,3\n",
        "city,date,time,temp\n7,2026-01-31,10:00,1\n",
    ],
)
def test_what_is_certain_is_not_asked(text: str) -> None:
    decision = decide_layout(text.encode())
    assert decision is not None
    assert decision.questions == ()


def test_what_is_open_has_no_answer_in_the_reading() -> None:
    decision = decide_layout(b"city;at;temp 1;temp 2\n7;02.03.2026 10:00;1;2\n")
    assert decision is not None
    assert decision.read_as == {
        "encoding": "utf-8",
        "delimiter": ";",
        "decimal": ".",
        "columns": {"city_id": 1, "timestamp": 2},
        "unit": "C",
        "zone": "UTC",
        "skipped_lines": 1,
        "profile": None,
        "evidence": {
            "columns.city_id": "City in column A (“city”), from line 1.",
            "columns.timestamp": "Timestamp in column B (“at”), from line 1.",
        },
    }


def test_the_first_rows_are_shown_as_they_were_understood() -> None:
    rows = "".join(f"2026-01-31 10:0{minute};2{minute},5;x\n" for minute in range(9))
    decision = decide_layout(f"Model: X\nTime;Temp;Note\n{rows}".encode())
    assert decision is not None
    [head] = decision.asks
    assert head["header_row"] == 2
    assert head["columns"] == [
        {"number": 1, "letters": "A", "header": "Time", "field": "timestamp"},
        {"number": 2, "letters": "B", "header": "Temp", "field": "temperature"},
        {"number": 3, "letters": "C", "header": "Note", "field": None},
    ]
    assert head["rows"][0] == [3, ["2026-01-31 10:00", "20,5", "x"]]
    assert len(head["rows"]) == 8


@pytest.mark.parametrize(
    ("text", "city_id", "codes"),
    [
        ("at,temp\n2026-01-31 10:00,1\n", 41, []),
        (f"7,1,{AT}\n", None, ["city_id_ignored"]),
        (f"city,temp,at\n7,1,{AT}\n", None, ["city_id_ignored"]),
    ],
)
def test_a_city_that_is_given_is_that_of_a_file_without_cities(
    text: str, city_id: int | None, codes: list[str]
) -> None:
    decision = decide_layout(text.encode(), read_as={"city_id": 41})
    assert decision is not None
    assert (decision.layout.city_id, decision.questions) == (city_id, ())
    assert [warning["code"] for warning in decision.warnings] == codes
    assert decision.read_as is not None
    assert decision.read_as.get("city_id") == city_id


@pytest.mark.parametrize(
    ("above", "offset"),
    [
        ("timezone,timezone_abbreviation\nGMT,GMT\n", 0),
        ("utc_offset_seconds,timezone_abbreviation\n7200,GMT+2\n", 120),
        ("Location: local mill, Tel. -0530\nStart: 2026-01-31T10:00+02:00\n", 0),
    ],
)
def test_lines_above_the_header_leave_the_zone_no_question(above: str, offset: int) -> None:
    decision = decide_layout(f"{above}city,temp,at\n7,1,{AT}\n".encode())
    assert decision is not None
    assert (decision.questions, decision.layout.zone_offset) == ((), offset)


@pytest.mark.parametrize(
    ("header", "row", "later", "field", "sentence"),
    [
        (
            "city,at,temp,tz",
            f"7,{AT},1,+02:00",
            f"7,{AT},1,+03:00",
            "zone",
            f"“+02:00/+03:00”, from column D (“tz”), {ZONE}",
        ),
        (
            "city,at,unit,value",
            f"7,{AT},C,21",
            f"7,{AT},%RH,45",
            "unit",
            f"The unit “C/%RH” of the temperature, from column C (“unit”), is not known. {UNIT}",
        ),
    ],
)
def test_a_column_that_says_something_else_far_below_is_asked_about(
    header: str, row: str, later: str, field: str, sentence: str
) -> None:
    head = f"{header}\n{row}\n".encode()
    rows = [*head.splitlines(), *[row.encode()] * 5000]

    def questions(last: str) -> list[tuple[str, str]]:
        decision = decide_layout(head, lines=lambda _: [*rows, last.encode()])
        assert decision is not None
        return [(each.field, each.sentence) for each in decision.questions]

    assert questions(later) == [(field, sentence)]
    # What is no reading says nothing.
    assert questions("end,of,the,file") == questions(row) == []


def test_columns_without_a_header_say_nothing_of_what_they_are() -> None:
    lines = b"2026-01-31 10:00;2026-01-31 11:00;1\n2026-01-31 11:00;2026-01-31 12:00;2\n"
    decision = decide_layout(lines, read_as={"columns": {"temperature": 3}, "city_id": 7})
    assert decision is not None
    [question] = decision.questions
    assert (question.field, question.sentence, question.choices) == (
        "columns.timestamp",
        "The columns A and B could both be the time. Which one is the time of the readings?",
        (1, 2),
    )
