"""Decides which mark begins the decimals of measures: from all their texts, by units, or asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.files.questions import Question
from timba.tallies.answers import Answers
from timba.tallies.cells.grids import Cell, CellKind
from timba.tallies.layout.groups import Group
from timba.tallies.layout.measure_cells import is_plausible
from timba.tallies.words.numbers import COMMA, POINT, NumberStyle, decide_style
from timba.tallies.words.quantities import Quantity, parse_quantity
from timba.tallies.words.vocabulary import MEASURES

_STYLES: Final = {".": POINT, ",": COMMA}


@dataclass(kw_only=True, slots=True)
class NumberReading:
    """The units and number styles of the measures, why so, and what is open."""

    units: dict[str, str] = field(default_factory=dict)
    styles: dict[str, NumberStyle | None] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    used_profile: bool = False


def decide_styles(
    group: Group, reading: NumberReading, cells: Mapping[str, Sequence[Cell | None]]
) -> str:
    """Decide the decimal mark of all measures together, or else of each column.

    Return a text that leaves it open.
    """
    if group.answers.decimal:
        reading.styles = dict.fromkeys(MEASURES, _STYLES[group.answers.decimal])
        reading.evidence["decimal"] = f"Decimals begin with “{group.answers.decimal}”, as answered."
        return ""
    texts = {name: _texts(each) for name, each in cells.items()}
    decision = decide_style(text for each in texts.values() for text in each)
    if not decision.open:
        reading.styles = dict.fromkeys(MEASURES, decision.style)
        _tell_style(reading, decision.style, decision.evidence)
        return ""
    decisions = {name: decide_style(each) for name, each in texts.items()}
    open_texts = [each.evidence for each in decisions.values() if each.open]
    reading.styles = {name: each.style for name, each in decisions.items()}
    if not open_texts:
        reading.evidence["decimal"] = "Decimals begin with “.” or “,”, by column."
    return open_texts[0] if open_texts else ""


def settle_style(
    group: Group,
    reading: NumberReading,
    cells: Mapping[str, Sequence[Cell | None]],
    text: str,
    profile: Answers,
) -> None:
    """Decide an open decimal mark by the units that the sheet names, or ask."""
    counts = {
        style: _count_plausible(reading, cells, style) if len(reading.units) == len(MEASURES) else 0
        for style in (POINT, COMMA)
    }
    [likely, other] = sorted(counts, key=lambda style: -counts[style])
    if counts[likely] and not counts[other]:
        reading.styles = dict.fromkeys(MEASURES, likely)
        _tell_style(reading, likely, text)
    elif profile.decimal:
        reading.used_profile = True
        reading.styles = dict.fromkeys(MEASURES, _STYLES[profile.decimal])
        reading.evidence["decimal"] = f"Decimals begin with “{profile.decimal}”, by the profile."
    else:
        reading.questions.append(_ask_decimal(group, text))


def decide_volume_style(
    styles: Mapping[str, NumberStyle | None], cells: Iterable[Cell]
) -> NumberStyle | None:
    """Return the style of volumes: that of the measures, or else the one that they show alone."""
    known = [style for style in styles.values() if style is not None]
    return known[0] if known else decide_style(_texts(list(cells))).style


def _texts(cells: Sequence[Cell | None]) -> list[str]:
    """Return the different texts of cells."""
    texts = (cell.text for cell in cells if cell is not None and cell.kind is CellKind.TEXT)
    return list(dict.fromkeys(texts))


def _tell_style(reading: NumberReading, style: NumberStyle | None, text: str) -> None:
    if style is not None:
        reading.evidence["decimal"] = f"Decimals begin with “{style.decimal}”, as in “{text}”."


def _count_plausible(
    reading: NumberReading, cells: Mapping[str, Sequence[Cell | None]], style: NumberStyle
) -> int:
    """Return how many open numbers are plausible in a style, with the units that are named."""
    count = 0
    for name, each in cells.items():
        for text in _texts(each):
            if parse_quantity(text, None) is not None:
                continue
            quantity = parse_quantity(text, style)
            if quantity is not None:
                unit = quantity.unit or reading.units[name]
                count += is_plausible(quantity.value, unit, name)
    return count


def _ask_decimal(group: Group, text: str) -> Question:
    point, comma = (parse_quantity(text.strip(), style) for style in (POINT, COMMA))
    if point is None or comma is None:
        sentence = (
            f"Some numbers have a decimal point, others a decimal comma, such as “{text}”. Which "
            "mark begins the decimals?"
        )
    else:
        values = f"{_plain(comma)} or {_plain(point)}"
        sentence = f"“{text.strip()}” can be {values}. Which mark begins the decimals?"
    return Question(field=f"{group.prefix}decimal", sentence=sentence, choices=(".", ","))


def _plain(quantity: Quantity) -> str:
    return f"{float(quantity.value):.10g}"
