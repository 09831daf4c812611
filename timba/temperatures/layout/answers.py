"""Checks the answers to the questions of a temperature file.

An answer has the form of `read_as` in a file's result, so that a result can be sent back: what only
tells how a file was read is accepted and ignored. A pure module: the API checks with it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from timba.files.answers import (
    DECIMALS,
    ENCODINGS,
    MAX_QUOTED,
    BadAnswer,
    check_numbers,
    listed,
    one_of,
)
from timba.places.city_numbers import CITY_NUMBERS
from timba.temperatures.layout.layouts import DateOrder, Unit
from timba.temperatures.layout.zones import parse_offset

DELIMITERS: Final = (",", ";", "\t", "|")
CITY, TEMPERATURE, TIMESTAMP, DATE, TIME = "city_id", "temperature", "timestamp", "date", "time"
COLUMN_FIELDS: Final = (CITY, TEMPERATURE, TIMESTAMP, DATE, TIME)

_ANSWERS: Final = (
    *("columns", "unit", "dates", "zone", "city_id"),
    *("decimal", "delimiter", "encoding"),
)
_SHOWN_ONLY: Final = frozenset(("evidence", "profile", "skipped_lines"))
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "encoding": ENCODINGS,
    "decimal": DECIMALS,
    "unit": tuple(Unit),
    "dates": tuple(DateOrder),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Checked answers; columns are numbers from 1, None for a file without a column of cities.

    `by_profile` has the fields that an import profile answers, not a person.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    columns: Mapping[str, int | None] = field(default_factory=dict)
    unit: Unit | None = None
    dates: DateOrder | None = None
    zone_offset: int | None = None
    city_id: int | None = None
    by_profile: frozenset[str] = frozenset()

    def source(self, name: str) -> str:
        """Return who gives the answer to a field, as the end of a sentence."""
        return "by the profile" if name in self.by_profile else "as answered"


def check_answers(read_as: Any) -> dict[str, Any]:
    """Return the answers in `read_as` without what is only shown; None counts as no answer.

    As the column of the cities, None says that there is none.
    Raises BadAnswer.
    """
    if not isinstance(read_as, Mapping):
        raise BadAnswer("“read_as” is an object such as {“dates”: “day-first”}.")
    if unknown := read_as.keys() - {*_SHOWN_ONLY, *_ANSWERS}:
        name = min(map(str, unknown))[:MAX_QUOTED]
        raise BadAnswer(f"“{name}” is no answer. Give {listed(_ANSWERS)}.")
    given = {name: read_as[name] for name in _ANSWERS if read_as.get(name) is not None}
    for name, choices in _CHOICES.items():
        if name in given:
            one_of(given[name], choices, name)
    if given.get("delimiter", ",") not in DELIMITERS:
        raise BadAnswer("“delimiter” is a comma, a semicolon, a tab or a vertical bar.")
    if "columns" in given:
        given["columns"] = _check_columns(given["columns"])
    zone = given.get("zone", "UTC")
    if not isinstance(zone, str) or parse_offset(zone) is None:
        raise BadAnswer("“zone” is UTC, or an offset from UTC such as +02:00.")
    city = given.get("city_id", 1)
    if isinstance(city, bool) or not isinstance(city, int) or city not in CITY_NUMBERS:
        first, last = CITY_NUMBERS[0], CITY_NUMBERS[-1]
        raise BadAnswer(f"“city_id” is a whole number from {first} to {last}.")
    return given


def parse_answers(read_as: Mapping[str, Any] | None) -> Answers:
    """Return checked answers, or stored ones of a profile, as a value."""
    given = check_answers(dict(read_as or {}))
    encoding = given.get("encoding")
    return Answers(
        # The marks at its start are taken off in any case.
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        delimiter=given.get("delimiter"),
        decimal=given.get("decimal"),
        columns=given.get("columns", {}),
        unit=Unit(given["unit"]) if "unit" in given else None,
        dates=DateOrder(given["dates"]) if "dates" in given else None,
        zone_offset=parse_offset(given["zone"]) if "zone" in given else None,
        city_id=given.get("city_id"),
    )


def _check_columns(columns: Any) -> dict[str, int | None]:
    if not isinstance(columns, Mapping):
        raise BadAnswer("“columns” names columns by number, such as {“temperature”: 2}.")
    for name in columns:
        if name not in COLUMN_FIELDS:
            raise BadAnswer(
                f"“columns.{str(name)[:MAX_QUOTED]}” is no column. Name {listed(COLUMN_FIELDS)}."
            )
    numbers = {name: number for name, number in columns.items() if number is not None}
    check_numbers(numbers, "columns")
    if TIMESTAMP in numbers and {DATE, TIME} & numbers.keys():
        raise BadAnswer("“columns” names a timestamp, or a date and a time, not both.")
    return {**numbers, **({CITY: None} if CITY in columns and CITY not in numbers else {})}
