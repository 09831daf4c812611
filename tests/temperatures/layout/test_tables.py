"""The table of a file is found: its delimiter, its header, and no line of data above it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.temperatures.layout.decisions import decide_layout
from timba.temperatures.layout.layouts import PLAIN, Columns, Layout, Unit
from timba.temperatures.sniffing import sniff_readings

AT = "2026-01-31 10:00"
ROW = f"7,21.5,{AT}\n"
HEADER = "city_id,temperature,timestamp\n"


def layout_of(text: str) -> Layout | None:
    decision = decide_layout(text.encode())
    return None if decision is None else decision.layout


@pytest.mark.parametrize("lines", [1, 99, 100])
def test_a_preamble_has_up_to_a_hundred_lines(lines: int) -> None:
    text = "Setting: value, other\n" * lines + HEADER + ROW
    assert layout_of(text) == Layout(skipped_lines=lines + 1)


def test_a_longer_preamble_is_none() -> None:
    assert layout_of("Setting\n" * 101 + HEADER + ROW) == PLAIN


@pytest.mark.parametrize(
    "text",
    [
        # Without a header nothing is skipped, nor are readings above one.
        "Setting: value\n" + ROW,
        ROW * 3 + HEADER + ROW,
        ROW * 3 + "time,temperature\n" + ROW,
        ROW + "temp;time;city\n1;2026-01-31 10:00;7\n",
    ],
)
def test_no_reading_is_skipped(text: str) -> None:
    assert layout_of(text) == PLAIN


def test_settings_that_speak_of_temperature_and_time_are_no_header() -> None:
    text = "Temperature, time of start\nAlarm temp,5,time,10:00\n" + HEADER + ROW
    assert layout_of(text) == Layout(skipped_lines=3)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        # The header's comma, or the decimal's, shifts what follows: no line fits the header.
        (f"city,at,temp,humidity\n7,{AT},21,5,45,0\n", 4),
        (f"#,Date Time, GMT+02:00,Temp,Hum\n1,{AT},21,45\n", 5),
        # What is left out at the end shifts nothing.
        (f"at,temp,note,\n{AT},21,x\n", 3),
        (f"at,temp\n{AT},21,,\n", 4),
    ],
)
def test_lines_that_do_not_fit_their_header_are_not_read(text: str, width: int) -> None:
    layout = layout_of(text)
    assert layout is not None
    assert layout.width == width


def test_a_header_further_down_is_none() -> None:
    text = f"at,temp,note\n{AT},1,x\nat,temp,note,more\n{AT},1,x,y\n"
    layout = layout_of(text)
    assert layout is not None
    assert layout.skipped_lines == 1


def test_a_plain_line_has_three_fields_whatever_most_lines_have() -> None:
    assert layout_of(HEADER + f"7,21.5,{AT},\n" * 3 + ROW) == Layout(skipped_lines=1)


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        # A few lines with quotes are bad lines of a plain file.
        (HEADER + f'"7",21.5,{AT}\n' + ROW, False),
        (HEADER + f'"7",21.5,{AT}\n' * 2 + ROW, True),
        ('"city_id","temperature","timestamp"\n' + ROW, False),
        # Beside other columns, they are around texts that hold a comma.
        (f'city,temp,at,name\n7,1,{AT},"Riga, LV"\n' + f"7,1,{AT},Cesis\n" * 3, True),
    ],
)
def test_quotes_are_taken_off_where_the_lines_have_them(text: str, quotes: bool) -> None:
    layout = layout_of(text)
    assert layout is not None
    assert layout.quotes is quotes


def test_words_that_are_not_known_stand_for_the_place_between_commas_alone() -> None:
    assert layout_of(f"depot,degrees,moment\n{ROW}") == Layout(skipped_lines=1)
    decision = decide_layout(f"depot;temp;time\n7;1;{AT}\n".encode())
    assert decision is not None
    assert decision.layout.columns == Columns(city=None)
    assert [question.field for question in decision.questions] == ["city_id"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "The harvest began on 2026-01-31 10:00, with 7 people.\n",
        f"{AT} 7\n",
        "A1;2026-01-31 10:00;12,50\n",
        "{}\n" * 500,
    ],
)
def test_other_texts_have_no_layout(text: str) -> None:
    assert decide_layout(text.encode()) is None


def test_the_unit_above_the_header_is_that_of_a_header_without() -> None:
    assert layout_of("Model,X\nTemperature unit,°F\n" + HEADER + ROW) == Layout(
        unit=Unit.FAHRENHEIT, skipped_lines=3
    )


@pytest.mark.parametrize("sign", ["°F", "º F", "˚F", "ᵒF", "℉"])
def test_a_line_above_the_header_that_speaks_of_fahrenheit_is_asked_about(sign: str) -> None:
    decision = decide_layout((f"High alarm: 104 {sign}\n" + HEADER + ROW).encode())
    assert decision is not None
    [question] = decision.questions
    assert question.sentence == (
        f"Line 1 speaks of {sign}, but the header names no unit. In which unit are the "
        "temperatures?"
    )


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_decision(head: bytes) -> None:
    decide_layout(head)


PIECES = (
    *(
        "city",
        "temp",
        "°F",
        "time",
        "date",
        "7",
        "21,5",
        "-3.5",
        "31.01.2026",
        AT,
        "10:00",
        "UTC+2",
    ),
    *(
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\r",
        '"',
        '="',
        "\ufeff",
        "\0",
        " ",
        "unit",
        "value",
        "id",
    ),
)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from(["utf-8", "utf-16", "cp1252"])
)
def test_no_table_breaks_the_decision(pieces: list[str], encoding: str) -> None:
    data = "".join(pieces).encode(encoding, errors="replace")
    decision = decide_layout(data)
    if decision is not None and decision.read_as is not None:
        answers = {name: value for name, value in decision.read_as.items() if name != "columns"}
        decide_layout(data, read_as=answers)


@pytest.mark.parametrize("text", ["temp,time,", "temp;time\n", '",', '="', "(", ",", "1-1-1", "\n"])
def test_a_head_of_one_text_over_and_over_has_no_readings(text: str) -> None:
    assert not sniff_readings((text * 65536)[:65536].encode())


def test_a_head_of_random_signs_has_no_readings() -> None:
    noise = random.Random(1)
    head = bytes(noise.choice(b"abc,; \t|\"'=\n19.:") for _ in range(65536))
    assert not sniff_readings(head)


def test_a_first_row_with_the_unit_behind_its_number_is_no_row_of_units() -> None:
    layout = layout_of(f"at,temp\n{AT},21.5 °C\n{AT},21.5\n")
    assert layout is not None
    assert layout.skipped_lines == 1
