"""Tells which field of a log a header cell names, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderCell:
    """What a header cell says: `rank` 0 means exactly so, a higher one is a weaker claim.

    `unknown_unit` is a unit that the cell names and that is not among `units.UNITS`.
    """

    field: str
    rank: int
    unit: str | None = None
    unknown_unit: str | None = None


def parse_header(text: str) -> HeaderCell | None:
    """Return what a header cell says, or None for a text that names no field of a log."""
    from timba.tallies import headers

    name, unit = headers._parse_header(text)
    for field, spellings in headers.SPELLINGS.items():
        if name in spellings:
            unit_name = next(
                (
                    u
                    for u in ("mm", "cm", "m", "in", "ft")
                    if headers.UNITS.get(unit) == headers.UNITS[u]
                ),
                None,
            )
            return HeaderCell(field=field, rank=spellings.index(name), unit=unit_name)
    return None


def normalize_header(text: str) -> str:
    """Return the wording of a header cell, whatever its letter case, blanks and punctuation."""
    return " ".join(text.casefold().split())
