"""Finds the barcodes that the name of a photo may hold: `B-123_2.jpg`, `IMG B-123 (1).jpeg`.

A barcode must stand in the name whole: between its ends, or characters that are no letters or
digits. Cameras, phones and scanners write numbers, dates and counters into names, and a link by
accident would be a wrong fact. So inside a longer name a barcode counts only if it has letters and
digits, at least three in all. Any other has to be the whole name, apart from a counter behind it,
and to have at least five letters or digits, and be no date. A pure module.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final
from unicodedata import category

from timba.consignments.barcode_text import MAX_BARCODE, barcode_key, normalize_barcode

_EXTENSION: Final = re.compile(r"\.[a-z]{3,4}$", re.IGNORECASE)
# What is behind the name of a second photo or copy: `_2`, `-2`, `(2)`.
_COUNTER: Final = re.compile(r"[_-]\d$| ?\(\d{1,2}\)$", re.ASCII)
# How a messenger names photos: the number only counts those of a day.
_MESSENGER: Final = re.compile(r"\b(?:IMG|VID)-\d{8}-WA\d{4}", re.ASCII | re.IGNORECASE)
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-_. ]?(?:0[1-9]|1[0-2])[-_. ]?(?:0[1-9]|[12]\d|3[01])", re.ASCII
)
_MIN_INSIDE: Final = 3
_MIN_PLAIN: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class NamePart:
    """A part of a name, from `start` to before `end`, that may be the barcode with this key."""

    start: int
    end: int
    key: str

    def is_within(self, other: NamePart) -> bool:
        """Return whether the other part is longer and covers this one."""
        is_longer = other.end - other.start > self.end - self.start
        return is_longer and other.start <= self.start and self.end <= other.end


def name_parts(name: str) -> Iterator[NamePart]:
    """Yield every part of a file's name that would count as a barcode."""
    stem = normalize_barcode(_MESSENGER.sub("|", _EXTENSION.sub("", name)))
    whole_ends = {len(stem), len(_COUNTER.sub("", stem))}
    ends = [end for end in range(1, len(stem) + 1) if not _continues(stem, end)]
    for start in range(len(stem)):
        if stem[start] == " " or (start and _is_of_word(stem[start - 1])):
            continue
        for end in ends:
            text = stem[start:end]
            if not 0 < len(text) <= MAX_BARCODE or text[-1] == " ":
                continue
            if _counts(text, is_whole=start == 0 and end in whole_ends):
                yield NamePart(start=start, end=end, key=barcode_key(text))


def longest_parts(parts: Collection[NamePart]) -> list[NamePart]:
    """Return the parts that no other one covers."""
    return [part for part in parts if not any(part.is_within(other) for other in parts)]


def _continues(stem: str, end: int) -> bool:
    return end < len(stem) and _is_of_word(stem[end])


def _is_of_word(character: str) -> bool:
    """Return whether it is a letter or a digit, or a mark that belongs to one."""
    return character.isalnum() or category(character).startswith("M")


def _counts(text: str, *, is_whole: bool) -> bool:
    characters = [character for character in text if character.isalnum()]
    has_digits = any(character.isdigit() for character in characters)
    has_letters = any(character.isalpha() for character in characters)
    if has_digits and has_letters:
        return is_whole or len(characters) >= _MIN_INSIDE
    return is_whole and len(characters) >= _MIN_PLAIN and _DATE.fullmatch(text) is None
