"""Decides the zone of times without an offset of their own, or asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from timba.files.questions import Question
from timba.files.wording import fold
from timba.temperatures.layout.answers import Answers
from timba.temperatures.layout.column_choice import column_name
from timba.temperatures.layout.column_texts import Lines, column_texts
from timba.temperatures.layout.header_words import ZONE
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.tables import Row, Table
from timba.temperatures.layout.units import split_setting
from timba.temperatures.layout.zones import (
    ZONE_WORDS,
    NamedZone,
    choices_for,
    find_mention,
    format_offset,
    read_zone,
)
from timba.temperatures.lines.splitting import split_fields

_OWN_OFFSET: Final = re.compile(r".*:[0-9.,]+(?: ?[AaPp]\.?[Mm]\.?)? ?(?:Z|UTC|GMT|[+-][0-9]).*")


@dataclass(frozen=True, kw_only=True, slots=True)
class ZoneDecision:
    """Minutes east of UTC, and why, or the question for them."""

    offset: int = 0
    evidence: str = ""
    question: Question | None = None


def decide_zone(
    table: Table,
    columns: Sequence[int],
    answers: Answers,
    layout: Layout,
    lines: Lines | None,
) -> ZoneDecision:
    """Return the zone of the times in these columns."""
    if answers.zone_offset is not None:
        return _take(answers.zone_offset, answers.source("zone"))
    in_column = _in_column(table, layout, lines)
    places = (_in_header(table, columns), in_column, _in_preamble(table))
    named = [each for each in places if each is not None]
    if not named and (mention := _mentioned_above(table)):
        named = [mention]
    if not named:
        return ZoneDecision()
    for zone, place in named:
        if zone.offset is not None:
            return _take(zone.offset, place)
    zone, place = named[0]
    if table.sample and all(_has_offset(table, row, columns) for row in table.sample):
        # The offset of each time says more than a name in the header.
        return ZoneDecision()
    sentence = (
        f"“{zone.text}”, {place}, does not say for certain how far the times are from UTC. In "
        "which zone are they?"
    )
    return ZoneDecision(
        question=Question(field="zone", sentence=sentence, choices=choices_for(zone))
    )


def _take(offset: int, source: str) -> ZoneDecision:
    zone = format_offset(offset)
    name = zone if zone == "UTC" else f"UTC{zone}"
    return ZoneDecision(offset=offset, evidence=f"Times in {name}, {source}.")


def _has_offset(table: Table, row: Row, columns: Sequence[int]) -> bool:
    return any(_OWN_OFFSET.fullmatch(table.text(row, column)) for column in columns)


def _in_header(table: Table, columns: Sequence[int]) -> tuple[NamedZone, str] | None:
    """Return the zone that the header names; two that differ make none."""
    cells = [table.cells[column] for column in columns if column < len(table.cells)]
    zones = [cell.zone for cell in cells if cell is not None and cell.zone is not None]
    if not zones:
        return None
    place = f"from {table.header_place}"
    if len({zone.offset for zone in zones}) > 1:
        return NamedZone(None, "/".join(zone.text for zone in zones)), place
    return zones[0], place


def _in_column(table: Table, layout: Layout, lines: Lines | None) -> tuple[NamedZone, str] | None:
    """Return the zone that a column of zones gives for every row."""
    for index, cell in enumerate(table.cells):
        if cell is None or cell.field != ZONE:
            continue
        texts = column_texts(table, index, layout, lines)
        if not texts:
            continue
        zones = [read_zone(text) for text in texts]
        place = f"from column {column_name(table, index)}"
        if len({zone.offset for zone in zones}) > 1:
            return NamedZone(None, "/".join(texts[:2])), place
        return zones[0], place
    return None


def _in_preamble(table: Table) -> tuple[NamedZone, str] | None:
    """Return the zone that a line of settings above the header gives: `Time zone: UTC+2`."""
    for number, line in enumerate(table.preamble, start=1):
        name, value = split_setting(line)
        is_setting = value and not ZONE_WORDS.search(fold(value))
        if is_setting and ZONE_WORDS.search(fold(name)):
            return read_zone(value), f"from line {number}"
    return _in_table_above(table)


def _in_table_above(table: Table) -> tuple[NamedZone, str] | None:
    """Return the zone that stands beneath its name in a table of settings above the header."""
    rows = [split_fields(line, table.delimiter) for line in table.preamble]
    for number, (names, values) in enumerate(pairwise(rows), start=2):
        zones = [
            read_zone(value)
            for name, value in zip(names, values, strict=False)
            if value and ZONE_WORDS.search(fold(name))
        ]
        if zones:
            # An abbreviation behind a place says more of it.
            certain = [zone for zone in zones if zone.offset is not None]
            return (certain or zones[-1:])[0], f"from line {number}"
    return None


def _mentioned_above(table: Table) -> tuple[NamedZone, str] | None:
    """Return the zone that a remark above the header speaks of: `Times in EST`.

    It may be that of another time, such as the one of the export.
    """
    for number, line in enumerate(table.preamble, start=1):
        if text := find_mention(line):
            return NamedZone(None, text), f"from line {number}"
    return None
