"""The entries of a consignment's timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from timba.events.models import OutboxEvent
from timba.web.timeline import describe

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = {1: "Anna", 2: "Jānis"}
LOAD = {"name": "AB-1", "type": "pinewood", "vehicle_number": "", "city_id": None}
LOG = {"barcode": "TB-1", "length": 4.2, "breadth": 30.0, "height": 32.5}
FILE = {"name": "permit.pdf", "status": "PENDING"}


def event(
    noun: str, action: str, row: dict[str, Any], *, actor: int | None = 1, key: str = "7"
) -> OutboxEvent:
    value = orjson.dumps({"action": action, noun: row}).decode()
    return OutboxEvent(topic=f"{noun}_events", key=key, time=NOON, actor_id=actor, value=value)


def sentences(*events: OutboxEvent, is_complete: bool = True) -> list[str]:
    """Return the entries of events, which are given oldest first."""
    entries = describe(events[::-1], NAMES, is_complete=is_complete)
    return [f"{entry.who} {entry.what}" for entry in entries]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (event("consignment", "create", LOAD), "Anna opened the consignment"),
        (event("consignment", "update", LOAD), "Anna changed the consignment"),
        (event("log", "create", LOG), "Anna added the log TB-1"),
        (event("log", "update", LOG), "Anna corrected the log TB-1"),
        (event("log", "delete", LOG), "Anna deleted the log TB-1"),
        (event("note", "create", {"title": "Seal"}), "Anna wrote the note “Seal”"),
        (event("note", "update", {"title": "Seal"}), "Anna changed the note “Seal”"),
        (event("note", "delete", {"title": "Seal"}), "Anna deleted the note “Seal”"),
        (event("file", "create", FILE), "Anna uploaded permit.pdf"),
        (event("file", "update", FILE), "Anna had permit.pdf checked again"),
        (
            event("file", "update", {**FILE, "status": "SUCCESS"}),
            "Anna put permit.pdf here",
        ),
        (event("file", "delete", FILE), "Anna deleted permit.pdf"),
        (event("file", "failure", FILE, actor=None), "Timba could not read permit.pdf"),
        (
            event("file", "failure", {**FILE, "result": {"questions": [{}]}}, actor=None),
            "Timba asks how to read permit.pdf",
        ),
        (
            event("log", "create", LOG, actor=9),
            "Someone who is no longer here added the log TB-1",
        ),
    ],
)
def test_each_event_has_its_sentence(change: OutboxEvent, sentence: str) -> None:
    assert sentences(change) == [sentence]


@pytest.mark.parametrize(
    ("noun", "row", "sentence"),
    [
        ("consignment", LOAD, "restored the consignment"),
        ("log", LOG, "restored the log TB-1"),
        ("note", {"title": "Seal"}, "restored the note “Seal”"),
        ("file", FILE, "restored permit.pdf"),
    ],
)
def test_what_is_created_after_its_deletion_is_restored(
    noun: str, row: dict[str, Any], sentence: str
) -> None:
    life = [event(noun, action, row) for action in ("create", "delete", "create", "delete")]
    assert sentences(*life[:3])[0] == sentences(*life, life[2])[0] == f"Anna {sentence}"
    assert "restored" not in sentences(life[0], event(noun, "create", row, key="8"))[0]


def test_file_that_was_read_has_no_entry() -> None:
    assert sentences(event("file", "success", FILE, actor=None)) == []


@pytest.mark.parametrize(
    ("noun", "before", "changes", "sentence"),
    [
        ("log", LOG, {"height": 23.5}, "corrected the height of TB-1 from 32.5 to 23.5 cm"),
        ("log", LOG, {"length": 4.0}, "corrected the length of TB-1 from 4.20 to 4.00 m"),
        ("log", LOG, {"barcode": "TB-2"}, "corrected the barcode from TB-1 to TB-2"),
        ("log", LOG, {"length": 4, "height": 9}, "corrected length and height of TB-1"),
        ("consignment", LOAD, {"city_id": 7}, "changed the city from none to 7"),
        ("consignment", LOAD, {"name": "AB-2"}, "changed the name from AB-1 to AB-2"),
        (
            "consignment",
            LOAD,
            {"name": "AB-2", "vehicle_number": "KB 1", "type": "hardwood"},
            "changed name, type and vehicle number",
        ),
    ],
)
def test_change_has_the_previous_value(
    noun: str, before: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    entries = sentences(
        event(noun, "create", before), event(noun, "update", {**before, **changes}, actor=2)
    )
    assert entries[0] == f"Jānis {sentence}"


def test_a_consignment_that_was_deleted_is_restored_with_its_logs() -> None:
    logs = [str(number) for number in range(3)]
    assert sentences(
        event("consignment", "create", LOAD),
        *(event("log", "create", LOG, key=key) for key in logs),
        *(event("log", "delete", LOG, key=key) for key in logs),
        event("consignment", "delete", LOAD),
        event("consignment", "create", LOAD, actor=2),
        *(event("log", "create", LOG, key=key, actor=2) for key in logs),
        event("log", "create", LOG, key="8"),
    ) == [
        "Anna added the log TB-1",
        "Jānis restored 3\xa0logs",
        "Jānis restored the consignment",
        "Anna deleted the consignment",
        "Anna deleted 3\xa0logs",
        "Anna added 3\xa0logs",
        "Anna opened the consignment",
    ]


def test_similar_changes_in_a_row_by_one_user_are_one_entry() -> None:
    added = [event("log", "create", LOG, key=str(n), actor=2) for n in range(62)]
    uploaded = [event("file", "create", FILE, key=str(n)) for n in range(2)]
    assert sentences(
        event("consignment", "create", LOAD), *added, *uploaded, event("log", "create", LOG)
    ) == [
        "Anna added the log TB-1",
        "Anna uploaded 2\xa0files",
        "Jānis added 62\xa0logs",
        "Anna opened the consignment",
    ]


def test_count_of_an_incomplete_timeline_is_a_lower_bound() -> None:
    added = [event("log", "create", LOG, key=str(n)) for n in range(3)]
    assert sentences(*added, is_complete=False) == ["Anna added at least 3\xa0logs"]
    assert sentences(event("note", "create", {"title": "x"}), *added, is_complete=False)[0] == (
        "Anna added 3\xa0logs"
    )
