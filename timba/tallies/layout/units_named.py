"""Finds the units that a table names: in its header, beneath it, in a title, or in its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from timba.files.questions import Question
from timba.files.wording import fold, unify_primes
from timba.tallies.layout.groups import Group, header_of
from timba.tallies.words.quantities import Quantity
from timba.tallies.words.units import UNIT_WORDS, UNITS, parse_unit
from timba.tallies.words.vocabulary import PIECES, VOLUME

# A column whose first cells are units is one of units.
_FIRST_CELLS: Final = 20
_MAX_UNIT: Final = 20
CHOICES: Final = tuple(UNITS)
# Volumes of logs that are measured in feet and inches.
_IMPERIAL_VOLUME: Final = re.compile(
    r"\b(?:cu?ft|ft ?3|cu ft|cubic f(?:ee|oo)t|bf|bft|bd ?ft|board f(?:ee|oo)t|hoppus)\b"
)


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """A unit that the sheet names, and where; None stands for one that is not known."""

    unit: str | None
    text: str
    place: str


def find_named_unit(
    group: Group, measure: str, column: int, quantities: Sequence[Quantity | None]
) -> NamedUnit | Question | None:
    """Return the unit that the sheet names for a measure, or a question about it, or None."""
    in_cells = _in_cells(quantities)
    if in_cells and all(quantity is None or quantity.unit for quantity in quantities):
        # Nothing else counts for them: “ft-in” in the header, 8'6" in the cells.
        in_header = [each for each in _in_header(group, measure, column) if each.unit]
    else:
        in_header = _in_header(group, measure, column)
    named = [*in_header, *in_cells]
    if not named:
        return _ask_about_other_units(group, measure, quantities)
    units = {each.unit for each in named}
    if len(units) == 1 and None not in units:
        return named[0]
    if None in units:
        [unknown, *_] = [each for each in named if each.unit is None]
        sentence = f"The unit “{unknown.text}” of the {measure}, {unknown.place}, is not known."
    else:
        claims = " and ".join(f"{UNIT_WORDS[each.unit or '']} {each.place}" for each in named)
        sentence = f"The sheet names different units for the {measure}: {claims}."
    return ask_unit(group, measure, f"{sentence} In which unit is it?")


def _ask_about_other_units(
    group: Group, measure: str, quantities: Sequence[Quantity | None]
) -> Question | None:
    """Return a question about units that some cells name, or a column of units, or None."""
    own = next((each.unit for each in quantities if each is not None and each.unit), None)
    if own is not None:
        sentence = f"Some cells of the {measure} name a unit, such as {own}, others none."
        return ask_unit(group, measure, f"{sentence} In which unit are the others?")
    named = group.table.columns
    # The column of units may have no name, as beneath a merged one.
    for column in sorted({*named, *(index + 1 for index in named)}):
        header = header_of(group, column)
        if header.cell is None or header.cell.field == PIECES:
            texts = [cell.text for cell in islice(group.cells(column), _FIRST_CELLS)]
            if texts and all(map(_is_length_unit, texts)):
                sentence = f"The column {group.name(column)} gives units, such as “{texts[0]}”."
                return ask_unit(group, measure, f"{sentence} In which unit is the {measure}?")
    volumes = [
        column
        for column, header in group.table.columns.items()
        if _IMPERIAL_VOLUME.search(fold(header.text.replace("³", "3")))
    ]
    if volumes and not _has_cubic_metres(group):
        sentence = f"The column {group.name(volumes[0])} gives volumes that are not in m³."
        return ask_unit(group, measure, f"{sentence} In which unit is the {measure}?")
    return None


def _has_cubic_metres(group: Group) -> bool:
    cells = [header.cell for header in group.table.columns.values()]
    return any(cell and cell.field == VOLUME and cell.unknown_unit is None for cell in cells)


def _is_length_unit(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+|['\"]", unify_primes(text))
    return len(text) <= _MAX_UNIT and bool(words) and all(map(parse_unit, words))


def ask_unit(group: Group, measure: str, sentence: str) -> Question:
    return Question(field=f"{group.prefix}units.{measure}", sentence=sentence, choices=CHOICES)


def _in_header(group: Group, measure: str, column: int) -> list[NamedUnit]:
    """Return the units in the header and beneath it, or else in a title above."""
    header = group.table.header
    named = []
    column_header = header_of(group, column)
    cell = column_header.cell
    if cell is None and (unit := _unit_after(column_header.text)):
        named.append(NamedUnit(unit, "", f"from row {header.row}"))
    if cell is not None and (cell.unit or cell.unknown_unit):
        named.append(NamedUnit(cell.unit, cell.unknown_unit or "", f"from row {header.row}"))
    if (text := header.unit_cells.get(column)) is not None:
        named.append(
            NamedUnit(parse_unit(text), text.strip("()[] "), f"from row {header.unit_row}")
        )
    title = group.table.title_units.get(measure)
    # A title above the header is about all that the header leaves open; one beneath contradicts it.
    if title is not None and (not named or title[1] > header.row):
        unit, row = title
        named.append(NamedUnit(unit if unit in UNITS else None, unit, f"from row {row}"))
    return named


def _unit_after(text: str) -> str | None:
    """Return the unit at the end of a header whose words are not known: “Qwe (mm)”."""
    match = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$|[,/;:\s]\s*([^\s,/;:]+)$", text)
    return parse_unit(match[1] or match[2] or "") if match else None


def _in_cells(quantities: Sequence[Quantity | None]) -> list[NamedUnit]:
    """Return the unit that at least half of the cells name."""
    read = [quantity for quantity in quantities if quantity is not None]
    units = Counter(quantity.unit for quantity in read if quantity.unit is not None)
    if not units or 2 * units.total() < len(read):
        return []
    [(unit, count), *_] = units.most_common()
    # Cells that each name their own unit are read so; the rest are in the most common one.
    is_clear = count == units.total() or units.total() == len(read)
    return [NamedUnit(unit, "", "from its cells")] if is_clear else []
