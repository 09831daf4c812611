"""What a field looks like, whatever the layout: a number, a date, a time of day, or both.

The sign of a unit may follow a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_DATE: Final = r"(?P<first>[0-9]{1,4})([/.-])(?P<second>[0-9]{1,2})\2(?P<third>[0-9]{1,4})"
_TIME: Final = (
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[AaPp](?:[Mm]|\.[Mm]\.))?"
    r"(?P<zone> ?[A-Za-z+−-][A-Za-z0-9/\[\]:+_ −-]{0,40})?"
)
DEGREE_SIGNS: Final = "°º˚ᵒ"
# The units that are one sign, and how they are written elsewhere.
ONE_SIGN_UNITS: Final[Mapping[str, str]] = {"℃": "°C", "℉": "°F", "\N{KELVIN SIGN}": "K"}
# The unit after a temperature, which ends with its letter or its one sign.
UNIT_SIGN: Final = (
    rf"[ \xa0\u202f]?(?:[{DEGREE_SIGNS}]?[ \xa0\u202f]?[CFK]|[{''.join(ONE_SIGN_UNITS)}])"
)
NUMBER: Final = re.compile(rf"([-+−]?[0-9]{{1,6}}(?:[.,][0-9]+)?)({UNIT_SIGN})?")
CITY: Final = re.compile(r"[0-9]{1,10}")
MOMENT: Final = re.compile(rf"{_DATE}[T ]{_TIME}")
DATE: Final = re.compile(_DATE)
TIME: Final = re.compile(_TIME)
# The date at the start of a timestamp, or alone.
DATE_PART: Final = re.compile(rf"{_DATE}(?![0-9])")
_MIDNIGHT: Final = re.compile(r".*[T ](?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM)", re.IGNORECASE)


def is_midnight(text: str) -> bool:
    """Return whether a moment is the start of a day, as spreadsheets write a mere date."""
    return _MIDNIGHT.fullmatch(text) is not None


def to_number(text: str) -> float | None:
    """Return the value of a number in either decimal mark; None for other texts."""
    match = NUMBER.fullmatch(text)
    return float(match[1].replace(",", ".").replace("−", "-")) if match else None


def unit_sign(text: str) -> str:
    """Return the unit after a number, from its sign on; empty for other texts."""
    match = NUMBER.fullmatch(text)
    return (match[2] or "").lstrip(" \xa0\u202f") if match else ""
