"""Decides the encoding of a CSV by its header where its letters do not tell it, or asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from timba.files.processors.base import FileRefused
from timba.files.text_encoding import plausible_encodings
from timba.tallies.cells.grids import Workbook
from timba.tallies.cells.opening import open_workbook
from timba.tallies.layout.table_search import FoundTables, find_tables
from timba.tallies.words.vocabulary import ACCENTED_WORDS

UNKNOWN: Final = "The encoding of the text cannot be told. Save it as “CSV UTF-8”."
_WORD: Final = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A CSV in one of the encodings that it may have, and the tables that it has then.

    `known` counts the words of headers that are spelled right with other letters than ASCII.
    """

    encoding: str
    workbook: Workbook
    found: FoundTables
    known: int


def decode_in_each(stream: BinaryIO) -> list[Decoded]:
    """Return a CSV in each plausible encoding, the likeliest first; raise FileRefused for none."""
    encodings = plausible_encodings(stream.read())
    decoded = list(_decode(stream, encodings))
    if not decoded:
        raise FileRefused(UNKNOWN)
    return decoded


def _decode(stream: BinaryIO, encodings: Sequence[str]) -> Iterator[Decoded]:
    for encoding in encodings:
        stream.seek(0)
        try:
            workbook = open_workbook(stream, encoding=encoding)
            found = find_tables(workbook)
        except FileRefused:
            continue
        known = sum(
            word in ACCENTED_WORDS
            for table in found.tables
            for column in table.columns.values()
            for word in _WORD.findall(column.text.casefold())
        )
        yield Decoded(encoding=encoding, workbook=workbook, found=found, known=known)


def decide_by_header(decoded: Sequence[Decoded]) -> Decoded | None:
    """Return the only encoding in which the most words of the header are known."""
    most = max(each.known for each in decoded)
    best = [each for each in decoded if each.known == most]
    return best[0] if most and len(best) == 1 else None
