"""The unit that follows each temperature: `21.5 °C`."""

from __future__ import annotations

import pytest

from timba.files.wording import fold
from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.layouts import DateOrder, Unit
from timba.temperatures.layout.temperature_units import read_unit, without_unit
from timba.temperatures.lines.block_parsing import parse_block
from timba.temperatures.lines.blocks import Block
from timba.temperatures.lines.parsing import Reading, RejectedLine, line_parser
from timba.temperatures.sniffing import sniff_readings

AT = "2026-01-31 10:00"


def decide(text: str, encoding: str = "utf-8") -> Decision:
    decision = decide_layout(text.encode(encoding))
    assert decision is not None
    return decision


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    ("lines", "unit", "hundredths"),
    [
        (f"7,21.5 °C,{AT}\n7,-3 °C,{AT}\n", Unit.CELSIUS, [2150, -300]),
        (f"city;temp;at\n7;71,6°F;{AT}\n7;-40 F;{AT}\n", Unit.FAHRENHEIT, [2200, -4000]),
        (f"city;temp (C);at\n7;21,5\xa0°C;{AT}\n7;−2\xa0°C;{AT}\n", Unit.CELSIUS, [2150, -200]),
        (f"city|temp|at\n7|300 K|{AT}\n7|273.15K|{AT}\n", Unit.KELVIN, [2685, 0]),
    ],
)
def test_temperatures_with_their_unit_are_read(
    lines: str, unit: Unit, hundredths: list[int], encoding: str
) -> None:
    if encoding == "cp1252" and "−" in lines:
        lines = lines.replace("−", "-")
    assert sniff_readings(lines.encode(encoding))
    decision = decide(lines, encoding)
    layout = decision.layout
    assert (decision.questions, layout.unit, layout.unit_signs) == ((), unit, True)
    read = map(line_parser(layout), lines.encode().splitlines()[layout.skipped_lines :])
    assert [each.hundredths for each in read if isinstance(each, Reading)] == hundredths


@pytest.mark.parametrize(
    ("sign", "unit"),
    [
        *((f"{degree}{letter}", Unit(letter)) for degree in "°º˚ᵒ" for letter in "CF"),
        ("℃", Unit.CELSIUS),
        ("℉", Unit.FAHRENHEIT),
        ("\N{KELVIN SIGN}", Unit.KELVIN),
    ],
)
def test_each_sign_of_a_unit_is_one_in_a_header_and_after_a_temperature(
    sign: str, unit: Unit
) -> None:
    assert read_unit(sign) is unit
    assert fold(without_unit(f"temp {sign}")) == "temp"
    line = f"7,300 {sign},{AT}\n"
    layout = decide(line).layout
    assert (layout.unit, layout.unit_signs) == (unit, True)
    assert isinstance(line_parser(layout)(line.strip().encode()), Reading)


@pytest.mark.parametrize("header", ["", "city,temp,at\n"])
def test_the_evidence_quotes_a_temperature(header: str) -> None:
    read_as = decide(f"{header}7,21.5 °C,{AT}\n").read_as
    assert read_as is not None
    assert read_as["evidence"]["unit"] == "Temperatures in °C, as in “21.5 °C”."


@pytest.mark.parametrize("temperature", ["21.5", "70 °F", "21.5 °", "21.5 °CC", "21. °C", "°C"])
def test_a_line_without_the_unit_of_the_others_is_bad(temperature: str) -> None:
    decision = decide(f"city;temp;at\n7;21.5 °C;{AT}\n7;21.4 °C;{AT}\n")
    line = f"7;{temperature};{AT}"
    assert line_parser(decision.layout)(line.encode()) == RejectedLine(
        "The temperature is not a number with its unit such as -3.25 °C."
    )


def test_where_most_lines_have_no_unit_those_that_do_are_bad() -> None:
    decision = decide(f"7,21.5 °C,{AT}\n7,21,{AT}\n7,22,{AT}\n")
    assert (decision.read_as, decision.layout.unit_signs) == (None, False)


def test_the_first_reading_alone_may_have_the_unit() -> None:
    layout = decide(f"city,temp,at\n7,70 °F,{AT}\n7,71,{AT}\n7,72,{AT}\n").layout
    assert (layout.unit, layout.unit_signs) == (Unit.FAHRENHEIT, False)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            f"city,temp (°F),at\n7,21.5 °C,{AT}\n",
            (
                "The file names different units for the temperature: °F from line 1 and °C as in "
                "“21.5 °C”."
            ),
        ),
        (
            f"7,21.5 °C,{AT}\n7,70 F,{AT}\n7,22 C,{AT}\n",
            "Different units follow the temperatures: °C and °F.",
        ),
        (
            f"city,temp,at\n7,70 °F,{AT}\n7,21.5 °C,{AT}\n7,300 K,{AT}\n",
            "Different units follow the temperatures: °F, °C and K.",
        ),
        (
            f"city,temp (°C),at\n7,21.5 °C,{AT}\n7,70 °F,{AT}\n",
            "Different units follow the temperatures: °C and °F.",
        ),
        # A row of units is not one of the readings that have them.
        (
            f"city,temp,at\n,°F,\n7,21.5 °C,{AT}\n",
            (
                "The file names different units for the temperature: °F from line 2 and °C as in "
                "“21.5 °C”."
            ),
        ),
    ],
)
def test_units_that_differ_are_asked_about(lines: str, sentence: str) -> None:
    [question] = decide(lines).questions
    assert (question.field, question.choices) == ("unit", ("C", "F", "K"))
    assert question.sentence == f"{sentence} In which unit are the temperatures?"


def test_an_answer_against_the_units_of_the_lines_makes_them_bad() -> None:
    decision = decide_layout(f"city,temp (°F),at\n7,21.5 °C,{AT}\n".encode(), read_as={"unit": "F"})
    assert decision is not None
    assert decision.questions == ()
    assert line_parser(decision.layout)(f"7,21.5 °C,{AT}".encode()) == RejectedLine(
        "The temperature is not a number with its unit such as -3.25 °F."
    )


def test_the_unit_stands_beside_dates_in_any_order() -> None:
    decision = decide("city;temp;at\n7;21,5 °C;31.01.2026 10:00\n7;20,5 °C;01.02.2026 10:00\n")
    assert (decision.layout.dates, decision.layout.decimal) == (DateOrder.DAY_FIRST, ",")
    assert decision.layout.unit_signs


def test_whole_blocks_have_the_same_bad_lines() -> None:
    layout = decide(f"7,21.5 °C,{AT}\n").layout
    block = Block(first_line=1, data=f"7,21.5 °C,{AT}\n7,21.5,{AT}\n".encode())
    parsed = parse_block(block, layout)
    assert parsed.readings.hundredths.tolist() == [2150]
    assert [reject.line for reject in parsed.rejects] == [2]
