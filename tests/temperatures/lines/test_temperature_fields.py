"""Temperatures in °C, °F and K, against fractions computed apart."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timba.temperatures.layout.layouts import PLAIN, Layout, Unit
from timba.temperatures.lines.reasons import LineError, Reason
from timba.temperatures.lines.temperature_fields import temperature_parser

FAHRENHEIT, KELVIN = Layout(unit=Unit.FAHRENHEIT), Layout(unit=Unit.KELVIN)
COMMA = Layout(delimiter=";", decimal=",")
NO_NUMBER = "The temperature is not a plain number such as -3,25."


def parse(text: str, layout: Layout) -> int | str:
    """Return hundredths of a degree Celsius, or the reason why there are none."""
    try:
        return temperature_parser(layout)(text)
    except LineError as error:
        return error.reason


def expected(text: str, unit: Unit) -> int | str:
    """Return what `parse` must return for a number of this unit."""
    value = Fraction(text)
    celsius = {
        Unit.CELSIUS: value,
        Unit.FAHRENHEIT: (value - 32) * Fraction(5, 9),
        Unit.KELVIN: value - Fraction("273.15"),
    }[unit]
    magnitude = floor(abs(celsius) * 100 + Fraction(1, 2))
    hundredths = magnitude if celsius >= 0 else -magnitude
    return hundredths if -27315 <= hundredths <= 99999 else Reason.TEMPERATURE_RANGE


@pytest.mark.parametrize(
    ("layout", "text", "hundredths"),
    [
        (FAHRENHEIT, "70.7", 2150),
        (FAHRENHEIT, "32.0", 0),
        (FAHRENHEIT, "-40", -4000),
        (FAHRENHEIT, "0", -1778),
        # Half of a hundredth of a degree Celsius, and a trace more or less than that.
        (FAHRENHEIT, "32.009", 1),
        (FAHRENHEIT, "32.0089999999", 0),
        (FAHRENHEIT, "31.991", -1),
        (FAHRENHEIT, "31.9910000000", -1),
        (FAHRENHEIT, "31.9910000001", 0),
        (FAHRENHEIT, "31.9909999999", -1),
        (FAHRENHEIT, "-459.67", -27315),
        (FAHRENHEIT, "1831.982", 99999),
        (KELVIN, "273.15", 0),
        (KELVIN, "0", -27315),
        (KELVIN, "273.155", 1),
        (KELVIN, "273.145", -1),
        (KELVIN, "273.1450000001", 0),
        (KELVIN, "1273.14", 99999),
        (COMMA, "28,9", 2890),
        (COMMA, "-0,005", -1),
        (COMMA, "7", 700),
        (COMMA, "\N{MINUS SIGN}3,25", -325),
        (FAHRENHEIT, "32." + "0" * 9000 + "1", 0),
        (FAHRENHEIT, "32.009" + "0" * 9000, 1),
    ],
)
def test_a_temperature_is_converted_exactly_and_then_rounded(
    layout: Layout, text: str, hundredths: int
) -> None:
    assert parse(text, layout) == hundredths


@pytest.mark.parametrize(
    ("layout", "text", "reason"),
    [
        (FAHRENHEIT, "-459.69", Reason.TEMPERATURE_RANGE),
        (FAHRENHEIT, "1831.991", Reason.TEMPERATURE_RANGE),
        (KELVIN, "-0.005", Reason.TEMPERATURE_RANGE),
        (KELVIN, "1273.145", Reason.TEMPERATURE_RANGE),
        (KELVIN, "10000", Reason.TEMPERATURE_RANGE),
        (KELVIN, "9" * 9000, Reason.TEMPERATURE_RANGE),
        (COMMA, "28.9", NO_NUMBER),
        (COMMA, "1.028,9", NO_NUMBER),
        (COMMA, ",5", NO_NUMBER),
        (COMMA, "5,", NO_NUMBER),
        (COMMA, "+5", NO_NUMBER),
        (COMMA, "\N{MINUS SIGN}-5", NO_NUMBER),
        (COMMA, "1e3", NO_NUMBER),
        (FAHRENHEIT, "70,7", Reason.TEMPERATURE),
        (FAHRENHEIT, "70.7 °F", Reason.TEMPERATURE),
        (PLAIN, "\N{MINUS SIGN}5", Reason.TEMPERATURE),
    ],
)
def test_a_bad_temperature_has_one_reason(layout: Layout, text: str, reason: str) -> None:
    assert parse(text, layout) == reason


_THOUSANDTHS = st.builds(
    "{}{}.{:03}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 1900),
    st.integers(0, 999),
    st.sampled_from(["", "0", "00000001", "4999", "5", "9999999"]),
)
# Each stands for the middle between two hundredths of a degree Celsius.
_HALVES_IN_FAHRENHEIT = st.integers(-27315, 99999).map(
    lambda hundredths: f"{(32_000 + (2 * hundredths + 1) * 9) / 1000:.3f}"
)


@given(_THOUSANDTHS | _HALVES_IN_FAHRENHEIT, st.sampled_from(Unit))
def test_every_unit_agrees_with_fractions(text: str, unit: Unit) -> None:
    assert parse(text, Layout(unit=unit)) == expected(text, unit)
    comma = Layout(unit=unit, delimiter=";", decimal=",")
    assert parse(text.replace(".", ","), comma) == expected(text, unit)
