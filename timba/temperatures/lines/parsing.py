"""Defines what a good line of a temperature file is, and why a bad line is rejected.

`line_parser` is the definition, in plain Python that can be compared with the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from timba.places.city_numbers import CITY_NUMBERS
from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines.blocks import MAX_LINE
from timba.temperatures.lines.reasons import LineError, Reason, encoding_reason
from timba.temperatures.lines.splitting import BLANKS, line_splitter
from timba.temperatures.lines.temperature_fields import temperature_parser
from timba.temperatures.lines.timestamp_fields import timestamp_parser

MAX_CITY: Final = CITY_NUMBERS[-1]
MAX_CITY_DIGITS: Final = len(str(MAX_CITY))
# Characters of a rejected line that are stored.
MAX_EXCERPT = 1000


class Reading(NamedTuple):
    """The reading on one line; a named tuple, because there are millions of them."""

    city: int
    hundredths: int
    """Hundredths of a degree Celsius."""
    at: int
    """Microseconds since 1970-01-01 UTC."""


class RejectedLine(NamedTuple):
    """The reason why one line is not a reading."""

    reason: str


class Reject(NamedTuple):
    """A rejected line as it is reported; `line` is its number in the file, from 1."""

    line: int
    reason: str
    text: str


LineParser = Callable[[bytes], Reading | RejectedLine | None]


def parse_line(line: bytes, layout: Layout = PLAIN) -> Reading | RejectedLine | None:
    """Parse one line; `line_parser` is the faster way for many of them."""
    return line_parser(layout)(line)


@lru_cache(maxsize=64)
def line_parser(layout: Layout) -> LineParser:
    """Return the parser of the lines of this layout.

    It takes a line in UTF-8 without its line end, and returns None for a blank one.
    """
    parse_text = _text_parser(layout)
    not_text = RejectedLine(encoding_reason(layout))
    has_plain_lines = layout.has_plain_lines

    def parse(line: bytes) -> Reading | RejectedLine | None:
        if len(line) > MAX_LINE:
            return RejectedLine(Reason.TOO_LONG)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return not_text
        if not has_plain_lines and not line.isascii():
            text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
        if not text.strip(BLANKS):
            return None
        try:
            return parse_text(text)
        except LineError as error:
            return RejectedLine(error.reason)

    return parse


def _text_parser(layout: Layout) -> Callable[[str], Reading]:
    """Return the parser of lines that are not blank; it raises LineError."""
    split = line_splitter(layout)
    parse_temperature, parse_timestamp = temperature_parser(layout), timestamp_parser(layout)
    parse_city, columns = _city_parser(layout), layout.columns

    def parse_text(text: str) -> Reading:
        if "\0" in text:
            raise LineError(Reason.NUL)
        if "\r" in text:
            raise LineError(Reason.CARRIAGE_RETURN)
        fields = split(text)
        timestamp = fields[columns.timestamp]
        if columns.time is not None:
            timestamp += f"T{fields[columns.time]}"
        return Reading(
            parse_city(fields),
            parse_temperature(fields[columns.temperature]),
            parse_timestamp(timestamp),
        )

    return parse_text


def _city_parser(layout: Layout) -> Callable[[Sequence[str]], int]:
    column, city_id = layout.columns.city, layout.city_id
    if column is not None:
        return lambda fields: _parse_city(fields[column])
    if city_id is None:
        raise ValueError("A layout without a column of cities needs a city_id.")
    return lambda _: city_id


def _parse_city(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise LineError(Reason.CITY)
    digits = text.lstrip("0")
    # Python refuses to convert thousands of digits, so they are counted first.
    if not 1 <= len(digits) <= MAX_CITY_DIGITS or int(digits) > MAX_CITY:
        raise LineError(Reason.CITY_RANGE)
    return int(digits)


def excerpt(line: bytes) -> str:
    """Return the first 1,000 characters of a line as text that every database can store."""
    # A character has at most four bytes in UTF-8; decoding a whole megabyte would be wasteful.
    text = line[: 4 * MAX_EXCERPT + 4].decode(errors="replace")
    return text[:MAX_EXCERPT].replace("\0", "\N{REPLACEMENT CHARACTER}")
