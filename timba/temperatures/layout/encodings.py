"""Decodes the head of a temperature file: in its encoding, or in each that it may have."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from typing import Final

from timba.files.kinds import HEAD_BYTES
from timba.files.text_encoding import detect_encoding, detect_unicode, plausible_encodings
from timba.temperatures.layout.layouts import PLAIN

# Letters of other Latin encodings have the same bases in the first one as far as headers need.
_LATIN_AND_CYRILLIC: Final = ("cp1252", "cp1251")


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The lines at the start of a file, decoded, without their ends and byte order marks."""

    encoding: str
    lines: list[str]
    ends_with_cr: bool


def decode_heads(head: bytes, encoding: str | None) -> list[Head]:
    """Return the head in its encoding, or in each that it may have, the likeliest first."""
    if encoding is not None:
        return [_decode(head, encoding)]
    if known := detect_unicode(head):
        return [_decode(head, known.removesuffix("-sig"))]
    if known := detect_encoding(head):
        return [_decode(head, known)]
    plausible = [name for name in plausible_encodings(head) if name.startswith("cp")]
    return [_decode(head, name) for name in plausible or ["utf-8"]]


def decode_quickly(head: bytes, lines: int) -> list[Head]:
    """Return so many first lines in their Unicode, or else in Latin and in Cyrillic letters.

    To tell which encoding it is costs more than to look for a header in both.
    """
    known = detect_unicode(head)
    encodings = [known.removesuffix("-sig")] if known else _LATIN_AND_CYRILLIC
    heads = [_decode(head, encoding) for encoding in encodings]
    return [replace(each, lines=each.lines[:lines]) for each in heads]


def decode_as_utf8(head: bytes) -> Head:
    """Return a head in UTF-8, with replacement characters for what is damaged."""
    return _decode(head, PLAIN.encoding)


def _decode(head: bytes, encoding: str) -> Head:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff")
    ends_with_cr = "\r" in text and "\n" not in text
    lines = text.split("\r" if ends_with_cr else "\n")
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        # The last line may go on behind the head.
        del lines[-1]
    if not lines[-1]:
        del lines[-1]
    return Head(
        encoding=encoding,
        lines=[line.removesuffix("\r") for line in lines],
        ends_with_cr=ends_with_cr,
    )
