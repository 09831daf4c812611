"""Tells the story of a consignment from its events: who did what, and when, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import orjson

from timba.events.models import OutboxEvent
from timba.web.templatetags.formatting import many, measure

SOMEONE: Final = "Someone who is no longer here"
TIMBA: Final = "Timba"
_UNITS: Final = {"length": "m", "breadth": "cm", "height": "cm"}
_LOG_FIELDS: Final = ("barcode", *_UNITS)
_CONSIGNMENT_FIELDS: Final = ("name", "type", "vehicle_number", "city_id")
_WORDS: Final = {"vehicle_number": "vehicle number", "city_id": "city"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the story."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """An event as the story needs it; `was` is the row before, where that is known."""

    at: datetime
    actor_id: int | None
    noun: str
    action: str
    row: Mapping[str, Any]
    was: Mapping[str, Any] | None

    @property
    def told_with(self) -> tuple[str, str, int | None]:
        """What facts have in common that are told in one breath."""
        return self.noun, self.action, self.actor_id


def describe(
    events: Sequence[OutboxEvent], names: Mapping[int, str], *, whole: bool
) -> list[Entry]:
    """Return the lines of these events, newest first; without `whole` there are older ones.

    What one person did many times in a row is one line.
    """
    facts = [fact for fact in _facts(events) if not _is_silent(fact)]
    lines = []
    told = 0
    for (noun, action, actor_id), alike in groupby(facts, key=lambda fact: fact.told_with):
        group = list(alike)
        told += len(group)
        whats = [_what(fact) for fact in group]
        if len(group) > 1 and (noun, action) in _TOGETHER:
            more = not whole and told == len(facts)
            whats = [_together(noun, action, len(group), at_least=more)]
            group = group[:1]
        who = TIMBA if actor_id is None else names.get(actor_id, SOMEONE)
        lines += [
            Entry(at=fact.at, who=who, what=what) for fact, what in zip(group, whats, strict=True)
        ]
    return lines


_TOGETHER: Final = {
    ("log", "create"): "added",
    ("log", "delete"): "deleted",
    ("file", "create"): "uploaded",
    ("file", "delete"): "deleted",
}


def _facts(events: Sequence[OutboxEvent]) -> list[Fact]:
    """Read the events, oldest first, so that each finds its row as it was before."""
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    facts = []
    for event in reversed(events):
        noun = event.topic.removesuffix("_events")
        value = orjson.loads(event.value)
        row = value[noun]
        facts.append(
            Fact(
                at=event.time,
                actor_id=event.actor_id,
                noun=noun,
                action=value["action"],
                row=row,
                was=known.get((noun, event.key)),
            )
        )
        known[noun, event.key] = row
    return facts[::-1]


def _is_silent(fact: Fact) -> bool:
    """Whether there is nothing to tell: that a file could be read goes without saying."""
    return (fact.noun, fact.action) == ("file", "success")


def _together(noun: str, action: str, number: int, *, at_least: bool) -> str:
    return f"{_TOGETHER[noun, action]} {'at least ' * at_least}{many(number, noun)}"


def _what(fact: Fact) -> str:
    row = fact.row
    match fact.noun, fact.action:
        case "consignment", "create":
            return "opened the consignment"
        case "consignment", _:
            return _consignment_changed(fact)
        case "log", "update":
            return _log_changed(fact)
        case "log", action:
            return f"{_TOGETHER['log', action]} the log {row['barcode']}"
        case "note", action:
            did = {"create": "wrote", "update": "changed", "delete": "deleted"}[action]
            return f"{did} the note “{row['title']}”"
        case "file", "failure":
            return f"could not read {row['name']}"
        case "file", "update":
            return _file_changed(fact)
        case "file", action:
            return f"{_TOGETHER['file', action]} {row['name']}"
    raise ValueError(f"No story knows {fact.noun} events.")


def _consignment_changed(fact: Fact) -> str:
    changed = _changed(fact, _CONSIGNMENT_FIELDS)
    if fact.was is None or not changed:
        return "changed the consignment"
    if len(changed) > 1:
        return f"changed {_listed([_WORDS.get(name, name) for name in changed])}"
    (name,) = changed
    before, after = (row[name] or "none" for row in (fact.was, fact.row))
    return f"changed the {_WORDS.get(name, name)} from {before} to {after}"


def _log_changed(fact: Fact) -> str:
    barcode = fact.row["barcode"]
    changed = _changed(fact, _LOG_FIELDS)
    if fact.was is None or not changed:
        return f"corrected the log {barcode}"
    if len(changed) > 1:
        return f"corrected {_listed(changed)} of {barcode}"
    (name,) = changed
    if name == "barcode":
        return f"corrected the barcode from {fact.was['barcode']} to {barcode}"
    before, after = (
        measure(row[name], 2 if name == "length" else 1) for row in (fact.was, fact.row)
    )
    return f"corrected the {name} of {barcode} from {before} to {after} {_UNITS[name]}"


def _file_changed(fact: Fact) -> str:
    if fact.row["status"] == "PENDING":
        return f"had {fact.row['name']} checked again"
    return f"put {fact.row['name']} here"


def _changed(fact: Fact, names: Sequence[str]) -> list[str]:
    was = fact.was
    return [] if was is None else [name for name in names if was[name] != fact.row[name]]


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
