"""The timeline of a consignment in plain words: who did what, and when, read from its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import orjson

from timba.events.models import OutboxEvent
from timba.web.templatetags.formatting import measure, quantity

SOMEONE: Final = "Someone who is no longer here"
TIMBA: Final = "Timba"
_UNITS: Final = {"length": "m", "breadth": "cm", "height": "cm"}
_LOG_FIELDS: Final = ("barcode", *_UNITS)
_CONSIGNMENT_FIELDS: Final = ("name", "type", "vehicle_number", "city_id")
_LABELS: Final = {"vehicle_number": "vehicle number", "city_id": "city"}
_NOTE_VERBS: Final = {
    "create": "wrote",
    "update": "changed",
    "delete": "deleted",
    "restore": "restored",
}
# The verbs of events that are merged into one entry when one user caused several in a row.
_GROUPED_VERBS: Final = {
    ("log", "create"): "added",
    ("log", "delete"): "deleted",
    ("log", "restore"): "restored",
    ("file", "create"): "uploaded",
    ("file", "delete"): "deleted",
    ("file", "restore"): "restored",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A decoded event; `previous` is the same row in the event before, None if unknown.

    A row that is created after its deletion was restored: then `action` is `restore`.
    """

    at: datetime
    actor_id: int | None
    noun: str
    action: str
    row: Mapping[str, Any]
    previous: Mapping[str, Any] | None

    @property
    def group_key(self) -> tuple[str, str, int | None]:
        """What consecutive changes must have in common to be merged into one entry."""
        return self.noun, self.action, self.actor_id


def describe(
    events: Sequence[OutboxEvent], names: Mapping[int, str], *, is_complete: bool
) -> list[Entry]:
    """Return the timeline entries of `events`, newest first.

    Consecutive changes of the same kind by one user become one entry. `names` maps user ids to
    names. Unless `is_complete`, older events exist that are not in `events`: the count in the last
    entry is then a lower bound.
    """
    changes = [change for change in _decode(events) if not _is_omitted(change)]
    entries = []
    described = 0
    for (noun, action, actor_id), similar in groupby(changes, key=lambda c: c.group_key):
        group = list(similar)
        described += len(group)
        sentences = [_describe_change(change) for change in group]
        if len(group) > 1 and (noun, action) in _GROUPED_VERBS:
            at_least = not is_complete and described == len(changes)
            sentences = [_describe_group(noun, action, len(group), at_least=at_least)]
            group = group[:1]
        who = TIMBA if actor_id is None else names.get(actor_id, SOMEONE)
        entries += [
            Entry(at=change.at, who=who, what=what)
            for change, what in zip(group, sentences, strict=True)
        ]
    return entries


def _decode(events: Sequence[OutboxEvent]) -> list[Change]:
    """Decode events, given newest first; each change gets the previous state of its row."""
    latest: dict[tuple[str, str], Mapping[str, Any]] = {}
    deleted: set[tuple[str, str]] = set()
    changes = []
    for event in reversed(events):
        noun = event.topic.removesuffix("_events")
        value = orjson.loads(event.value)
        row, action, key = value[noun], value["action"], (noun, event.key)
        changes.append(
            Change(
                at=event.time,
                actor_id=event.actor_id,
                noun=noun,
                action="restore" if action == "create" and key in deleted else action,
                row=row,
                previous=latest.get(key),
            )
        )
        latest[key] = row
        (deleted.add if action == "delete" else deleted.discard)(key)
    return changes[::-1]


def _is_omitted(change: Change) -> bool:
    """Whether the change has no entry: a file that was read without an error needs none."""
    return (change.noun, change.action) == ("file", "success")


def _describe_group(noun: str, action: str, number: int, *, at_least: bool) -> str:
    return f"{_GROUPED_VERBS[noun, action]} {'at least ' * at_least}{quantity(number, noun)}"


def _describe_change(change: Change) -> str:
    row = change.row
    match change.noun, change.action:
        case "consignment", "create":
            return "opened the consignment"
        case "consignment", "delete" | "restore" as action:
            return f"{action}d the consignment"
        case "consignment", _:
            return _describe_consignment_change(change)
        case "log", "update":
            return _describe_log_change(change)
        case "log", action:
            return f"{_GROUPED_VERBS['log', action]} the log {row['barcode']}"
        case "note", action:
            return f"{_NOTE_VERBS[action]} the note “{row['title']}”"
        case "file", "failure":
            asks = (row.get("result") or {}).get("questions")
            return f"{'asks how to read' if asks else 'could not read'} {row['name']}"
        case "file", "update":
            return _describe_file_change(change)
        case "file", action:
            return f"{_GROUPED_VERBS['file', action]} {row['name']}"
    raise ValueError(f"The timeline has no sentence for {change.noun} events.")


def _describe_consignment_change(change: Change) -> str:
    changed = _changed_fields(change, _CONSIGNMENT_FIELDS)
    if change.previous is None or not changed:
        return "changed the consignment"
    if len(changed) > 1:
        return f"changed {_join_words([_LABELS.get(name, name) for name in changed])}"
    (name,) = changed
    before, after = (row[name] or "none" for row in (change.previous, change.row))
    return f"changed the {_LABELS.get(name, name)} from {before} to {after}"


def _describe_log_change(change: Change) -> str:
    barcode = change.row["barcode"]
    changed = _changed_fields(change, _LOG_FIELDS)
    if change.previous is None or not changed:
        return f"corrected the log {barcode}"
    if len(changed) > 1:
        return f"corrected {_join_words(changed)} of {barcode}"
    (name,) = changed
    if name == "barcode":
        return f"corrected the barcode from {change.previous['barcode']} to {barcode}"
    before, after = (
        measure(row[name], 2 if name == "length" else 1) for row in (change.previous, change.row)
    )
    return f"corrected the {name} of {barcode} from {before} to {after} {_UNITS[name]}"


def _describe_file_change(change: Change) -> str:
    if change.row["status"] == "PENDING":
        return f"had {change.row['name']} checked again"
    return f"put {change.row['name']} here"


def _changed_fields(change: Change, names: Sequence[str]) -> list[str]:
    previous = change.previous
    if previous is None:
        return []
    return [name for name in names if previous[name] != change.row[name]]


def _join_words(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
