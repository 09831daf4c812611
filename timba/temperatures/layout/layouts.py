"""How the lines of a temperature file are written: its layout, decided once for the whole file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """The unit in which temperatures are written."""

    CELSIUS = "C"
    FAHRENHEIT = "F"
    KELVIN = "K"


class DateOrder(StrEnum):
    """The order of the parts of a date; `YYYY-MM-DD` and `YYYY/MM/DD` are read in every order."""

    YEAR_FIRST = "year-first"
    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The positions of the fields of a line, from 0.

    Without a column of cities, every line is of the layout's `city_id`. Where `time` is set,
    `timestamp` holds the date alone.
    """

    city: int | None = 0
    temperature: int = 1
    timestamp: int = 2
    time: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the lines of a file are written; the default is the plain layout.

    Lines are split and parsed as UTF-8: `encoding` is that of the file before it is transcoded.
    `width` is the number of fields of a line; so many `extra_fields` may follow in some, as in the
    first line of EasyLog loggers, which ends with their serial number. With `quotes`, quotation
    marks around a field, and `="…"`, are taken off. `zone_offset` is in minutes east of UTC, for
    times without an offset of their own. The first `skipped_lines` lines, a preamble and a header,
    are no data.
    With `unit_signs`, the sign of the unit follows each temperature, `21.5 °C`.
    `two_digit_years` says that years of two digits come first in some dates, `25-01-31`; in the
    other orders such years are always read.
    """

    encoding: str = "utf-8"
    ends_with_cr: bool = False
    delimiter: str = ","
    decimal: str = "."
    quotes: bool = False
    columns: Columns = Columns()
    width: int = 3
    extra_fields: int = 0
    unit: Unit = Unit.CELSIUS
    unit_signs: bool = False
    dates: DateOrder = DateOrder.YEAR_FIRST
    two_digit_years: bool = False
    zone_offset: int = 0
    skipped_lines: int = 0
    city_id: int | None = None

    @property
    def has_plain_lines(self) -> bool:
        """Whether lines are strictly those of the plain layout, once they are split and UTF-8."""
        return replace(self, encoding="utf-8", ends_with_cr=False, skipped_lines=0) == PLAIN

    def with_any_city(self) -> Layout:
        """Return a layout by which lines can be parsed although their city is not known yet."""
        return self if self.columns.city is not None else replace(self, city_id=1)

    @property
    def is_vectorisable(self) -> bool:
        """Whether it differs from the plain layout by delimiter, order or decimal mark at most."""
        return (
            self.columns.city is not None
            and self.columns.time is None
            and (self.width, self.extra_fields) == (len(PLAIN_FIELDS), 0)
            and not self.quotes
            and (self.unit, self.dates) == (Unit.CELSIUS, DateOrder.YEAR_FIRST)
            and not (self.two_digit_years or self.unit_signs)
            and self.zone_offset == 0
        )


PLAIN_FIELDS: Final = ("city_id", "temperature", "timestamp")
PLAIN: Final = Layout()
