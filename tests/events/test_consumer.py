"""A consumer that stores the last number of each key processes each event exactly once."""

from __future__ import annotations

import pytest

from timba.events.consumer import Deduplicator, parse_message
from timba.events.messages import Message


def message(
    *, key: str = "7", epoch: int = 1, sequence: int, topic: str = "note_events"
) -> Message:
    return Message(
        topic=topic,
        key=key,
        value=b'{"action":"update","note":{"id":7}}',
        headers={
            "ce_id": f"{epoch}-{sequence}",
            "ce_type": "timba.note.updated",
            "ce_time": "2026-03-04T05:06:07Z",
            "ce_sequence": str(sequence),
            "ce_epoch": str(epoch),
            "ce_requestid": "req-1",
            "ce_clientid": "3",
        },
    )


def test_headers_and_value_are_read() -> None:
    event = parse_message(message(sequence=5))
    assert (event.id, event.client_id, event.epoch, event.sequence) == ("1-5", 3, 1, 5)
    assert (event.topic, event.key, event.type) == ("note_events", "7", "timba.note.updated")
    assert (event.time, event.request_id) == ("2026-03-04T05:06:07Z", "req-1")
    assert event.value == {"action": "update", "note": {"id": 7}}


@pytest.mark.parametrize(
    ("arriving", "taken"),
    [
        ([(1, 1), (1, 2), (1, 3)], [(1, 1), (1, 2), (1, 3)]),
        # A relay died after its batch and before its marks: the batch comes again.
        ([(1, 1), (1, 2), (1, 1), (1, 2), (1, 3)], [(1, 1), (1, 2), (1, 3)]),
        # A restore took the numbers back to 2, and counts on in the next epoch.
        ([(1, 1), (1, 2), (1, 5), (2, 3), (2, 4)], [(1, 1), (1, 2), (1, 5), (2, 3), (2, 4)]),
        # A repeat from before the restore is still a repeat.
        ([(1, 5), (2, 3), (1, 5), (1, 6)], [(1, 5), (2, 3)]),
    ],
)
def test_duplicates_are_dropped(
    arriving: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    seen = Deduplicator()
    events = [seen.accept(message(epoch=epoch, sequence=number)) for epoch, number in arriving]
    assert [(event.epoch, event.sequence) for event in events if event] == taken


def test_keys_are_deduplicated_independently() -> None:
    # Another partition, or a key that had to wait: its lower number comes after a higher one.
    seen = Deduplicator()
    arriving = [message(key="a", sequence=9), message(key="b", sequence=4)]
    assert all(seen.accept(each) for each in arriving)
    assert seen.accept(message(key="a", sequence=3, topic="file_events"))
