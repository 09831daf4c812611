"""Parses temperatures in °C, °F and K to hundredths of a degree Celsius, exactly."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from timba.temperatures.layout.layouts import Layout, Unit
from timba.temperatures.layout.temperature_units import UNIT_LETTERS
from timba.temperatures.layout.values import UNIT_SIGN
from timba.temperatures.lines.reasons import LineError, Reason, temperature_reason

# Hundredths of a degree Celsius.
MIN_HUNDREDTHS, MAX_HUNDREDTHS = -27315, 99999
# 999.99 °C are 1831.982 °F.
_MAX_WHOLE_DIGITS: Final = 4
# Characters.
_MAX_REMEMBERED: Final = 16
# In ten-thousandths of the unit: 0 °C, and a hundredth of a degree Celsius. 32 °F are 0 °C, and
# 1.8 °F are one degree; 273.15 K are 0 °C.
_SCALES: Final = {
    Unit.CELSIUS: (0, 100),
    Unit.FAHRENHEIT: (320_000, 180),
    Unit.KELVIN: (2_731_500, 100),
}


def temperature_parser(layout: Layout) -> Callable[[str], int]:
    """Return the parser of the temperatures of this layout; it raises LineError."""
    # The minus sign of the typographers is one in the decimals of some countries.
    minus = "-" if layout.has_plain_lines else "-\N{MINUS SIGN}"
    unit_sign = UNIT_SIGN if layout.unit_signs else ""
    number = re.compile(
        rf"([{minus}]?)([0-9]+)(?:{re.escape(layout.decimal)}([0-9]+))?({unit_sign})"
    )
    zero, hundredth = _SCALES[layout.unit]
    reason = temperature_reason(layout)

    def parse_temperature(text: str) -> int:
        match = number.fullmatch(text)
        if match is None:
            raise LineError(reason)
        sign, whole, fraction, unit = match.groups(default="")
        if unit and UNIT_LETTERS[unit[-1]] is not layout.unit:
            raise LineError(reason)
        magnitude = _ten_thousandths(whole, fraction)
        hundredths = _divide((-magnitude if sign else magnitude) - zero, hundredth)
        if not MIN_HUNDREDTHS <= hundredths <= MAX_HUNDREDTHS:
            raise LineError(Reason.TEMPERATURE_RANGE)
        return hundredths

    remember = lru_cache(maxsize=16384)(parse_temperature)

    def parse_remembered(text: str) -> int:
        # The same temperatures come again and again; a number with a million decimals does not.
        return remember(text) if len(text) <= _MAX_REMEMBERED else parse_temperature(text)

    return parse_remembered


def _ten_thousandths(whole: str, fraction: str) -> int:
    """Return a number of any length in ten-thousandths, precisely enough to be rounded exactly.

    Half of a hundredth of a degree Celsius is a whole number of thousandths in every unit: 0.005
    or 0.009. So the fourth decimal only has to tell whether anything follows the third.
    """
    whole = whole.lstrip("0")
    # Python refuses to convert thousands of digits, so they are counted first.
    if len(whole) > _MAX_WHOLE_DIGITS:
        raise LineError(Reason.TEMPERATURE_RANGE)
    rest = "1" if fraction[3:].strip("0") else "0"
    return int(whole + fraction[:3].ljust(3, "0") + rest)


def _divide(number: int, divisor: int) -> int:
    """Return the quotient, rounded half away from zero; the divisor is even."""
    quotient = (abs(number) + divisor // 2) // divisor
    return -quotient if number < 0 else quotient
