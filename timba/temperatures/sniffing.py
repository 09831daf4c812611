"""Tells files of readings from other texts by their first lines, in whatever layout they are."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final

from timba.files.kinds import HEAD_BYTES
from timba.files.text_encoding import detect_encoding
from timba.temperatures.layout.answers import Answers
from timba.temperatures.layout.drafts import draft_head
from timba.temperatures.layout.encodings import decode_quickly
from timba.temperatures.layout.tables import MAX_PREAMBLE
from timba.temperatures.lines import is_gzip
from timba.temperatures.parsing import SNIFFED_LINES

# Those of a preamble, and as many again that tell what the columns hold.
_MAX_LINES: Final = 2 * MAX_PREAMBLE
# A member of a gzip archive may be empty: so many are looked into.
_MAX_MEMBERS: Final = 100


def sniff_readings(head: bytes) -> bool:
    """Return whether a file that begins with `head`, compressed or not, holds readings.

    One of the first 20 lines below its preamble and its header must be one, whatever is open.
    """
    return any(
        draft is not None and draft.is_of_temperatures and bool(draft.readings(SNIFFED_LINES))
        for each in decode_quickly(unpack_head(head), _MAX_LINES)
        for draft in [draft_head(each, Answers())]
    )


def unpack_head(head: bytes) -> bytes:
    """Return the first bytes of a file, decompressed if it is an archive.

    What is damaged ends them, as does the end of the head of a longer archive.
    """
    if not is_gzip(head):
        return head[:HEAD_BYTES]
    unpacked = b""
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            unpacked += member.decompress(head, HEAD_BYTES - len(unpacked))
        except zlib.error:
            break
        head = member.unused_data.lstrip(b"\0")
        if not head or len(unpacked) >= HEAD_BYTES:
            break
    return unpacked


_MAX_DESCRIBED: Final = 120
# So many lines in a row must look like readings: one line may do by chance.
_MIN_LINES: Final = 2
_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": ""}
_QUOTES: Final = "\"' =\u00a0"
_NUMBER: Final = re.compile(r"[+−-]?\d{1,3}(?:[.,]\d+)?(?: ?°? ?[CFK])?")
_CITY: Final = re.compile(r"\d{1,10}")
_DATE: Final = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
_TIME: Final = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_ZONE: Final = r"(?: ?(?:Z|UTC|GMT)?(?:[+-]\d\d?:?(?:\d\d)?)?)?"
_MOMENT: Final = re.compile(rf"{_DATE}[T ]+{_TIME}{_ZONE}")
_DATE_ALONE, _TIME_ALONE = re.compile(_DATE), re.compile(_TIME + _ZONE)
_HEADER: Final = re.compile(
    r"temp|°|celsius|fahrenheit|kelvin|lämpötila|hőm|teplota|темп|темпер|grad|цельс", re.IGNORECASE
)


def describe_layout(head: bytes) -> str | None:
    """Return what sets the layout of readings off from the plain one; None if there are none.

    The words follow “It looks like temperature readings”. They may be empty, where it is in the
    order of the fields or in how they are written.
    """
    encoding = detect_encoding(head) or "cp1252"
    lines = head.decode(encoding, "replace").lstrip("\ufeff").splitlines()[:_MAX_DESCRIBED]
    for delimiter, name in _DELIMITERS.items():
        rows = [[field.strip(_QUOTES) for field in line.split(delimiter)] for line in lines]
        found = [number for number, row in enumerate(rows) if _has_reading(row, delimiter)]
        if len(found) < _MIN_LINES and not (found and len(lines) - found[0] <= _MIN_LINES):
            continue
        first = found[0]
        header = lines[first - 1] if first else ""
        if _HEADER.search(header) or (first < SNIFFED_LINES and _is_plain(rows[first])):
            return _describe(lines[first], name, encoding, header, first)
    return None


def _has_reading(row: Sequence[str], delimiter: str) -> bool:
    """Return whether a row has a moment and, beside it, a number that may be a temperature."""
    rest = [field for field in row if not _MOMENT.fullmatch(field)]
    if len(rest) == len(row):
        dates = [field for field in row if _DATE_ALONE.fullmatch(field)]
        times = [field for field in row if _TIME_ALONE.fullmatch(field)]
        if not dates or not times:
            return False
        rest = [field for field in row if field not in {dates[0], times[0]}]
    return any(_NUMBER.fullmatch(field) for field in rest) and len(row) > 1 + (delimiter == ",")


def _is_plain(row: Sequence[str]) -> bool:
    """Return whether a row has the three fields of a reading, in any order, and no other."""
    numbers = [field for field in row if _NUMBER.fullmatch(field)]
    cities = [field for field in row if _CITY.fullmatch(field)]
    decimals = [field for field in numbers if not _CITY.fullmatch(field)]
    moments = [field for field in row if _MOMENT.fullmatch(field)]
    return len(row) in {3, 4} and bool(cities) and bool(decimals) and bool(moments)


def _describe(line: str, delimiter: str, encoding: str, header: str, preamble: int) -> str:
    marks = [
        f"with {delimiter} between the fields" if delimiter else "",
        "with decimal commas" if delimiter and re.search(r"\d,\d", line) else "",
        "with quotes" if '"' in line else "",
        "in °F" if re.search(r"°?F\b|fahrenheit", header, re.IGNORECASE) else "",
        f"in {encoding.upper()}" if not encoding.startswith("utf-8") and not line.isascii() else "",
        "in UTF-16" if encoding.startswith("utf-16") else "",
        f"below {preamble} lines" if preamble > 1 else "",
    ]
    return ", ".join(mark for mark in marks if mark)
