"""Why a line of a temperature file is rejected, as sentences for users."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from timba.files.wording import encoding_name
from timba.places.city_numbers import CITY_NUMBERS
from timba.temperatures.layout.layouts import PLAIN, DateOrder, Layout
from timba.temperatures.layout.temperature_units import UNIT_SIGNS

_EXAMPLE_DATES: Final = {
    DateOrder.YEAR_FIRST: "2025-01-31",
    DateOrder.DAY_FIRST: "31.01.2025",
    DateOrder.MONTH_FIRST: "01/31/2025",
}


class Reason(StrEnum):
    """The reasons that do not depend on the layout, and those of the plain layout."""

    TOO_LONG = "The line is longer than 1 MB."
    NOT_UTF8 = "The line is not UTF-8 text."
    NUL = "The line holds a NUL character."
    CARRIAGE_RETURN = "The line holds a carriage return without a line feed."
    QUOTES = "The quotation marks of the line do not enclose whole fields."
    FIELDS = "The line does not have exactly three fields: city_id,temperature,timestamp."
    CITY = "The city_id is not a whole number in plain digits."
    CITY_RANGE = f"The city_id is not between {CITY_NUMBERS[0]} and {CITY_NUMBERS[-1]}."
    TEMPERATURE = "The temperature is not a plain number such as -3.25."
    TEMPERATURE_RANGE = "The temperature is not between -273.15 and 999.99 °C."
    TIMESTAMP = "The timestamp is not written like 2025-01-31T14:05:00Z."
    YEAR = "The timestamp's year is not between 1970 and 2199."
    DATE = "The timestamp's date does not exist."
    TIME = "The timestamp's time of day does not exist."
    OFFSET = "The timestamp's offset from UTC does not exist."


class LineError(Exception):
    """A line is not a reading; its one argument is the reason."""

    @property
    def reason(self) -> str:
        # An `__init__` of its own would take longer than all else about the exception.
        reason: str = self.args[0]
        return reason


def encoding_reason(layout: Layout) -> str:
    """Return why a line with bytes that are no text in the file's encoding is rejected."""
    if layout.encoding == PLAIN.encoding:
        return Reason.NOT_UTF8
    return f"The line is not text in {encoding_name(layout.encoding)}."


def fields_reason(layout: Layout) -> str:
    """Return why a line with another number of fields than the layout's is rejected."""
    if layout.has_plain_lines:
        return Reason.FIELDS
    end = " like the header" if layout.skipped_lines else ""
    return f"The line does not have {layout.width} fields{end}."


def temperature_reason(layout: Layout) -> str:
    """Return why a temperature that is not written as in this layout is rejected."""
    example = f"-3{layout.decimal}25"
    if layout.unit_signs:
        sign = UNIT_SIGNS[layout.unit]
        return f"The temperature is not a number with its unit such as {example} {sign}."
    return Reason.TEMPERATURE.replace("-3.25", example)


def timestamp_reason(layout: Layout) -> str:
    """Return why a timestamp that is not written as in this layout is rejected."""
    if layout.has_plain_lines:
        return Reason.TIMESTAMP
    date = _EXAMPLE_DATES[layout.dates]
    if layout.two_digit_years:
        date = date.replace("2025", "25")
    if layout.columns.time is not None:
        return f"The date and the time are not written like {date} and 14:05:00."
    return f"The timestamp is not written like {date} 14:05:00."
