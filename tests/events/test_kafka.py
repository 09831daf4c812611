"""The relay and a real Apache Kafka, killed and brought back while 600 changes are made."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka.admin import AdminClient
from pytest_django.fixtures import Settings

from tests.events.kafka import read_topic
from tests.journeys.processes import wait_until
from tests.journeys.timba_process import PASSWORD, SERVE, ApiClient, TimbaProcess
from tests.servers import DedicatedServer
from timba.errors import NotFound
from timba.events.consumer import (
    Deduplicator,
    EventFilter,
    ReceivedEvent,
    parse_message,
    read_kafka,
)
from timba.events.messages import Message
from tools.servers.kafka import Kafka

pytestmark = pytest.mark.journey

PARTITIONS = 4
WRITERS, NOTES_EACH, CHANGES_OF_A_NOTE = 4, 5, 30
ALL_CHANGES = WRITERS * NOTES_EACH * CHANGES_OF_A_NOTE


class ManyPartitions(Kafka):
    """A broker that was told how many partitions new topics have."""

    def configure(self) -> tuple[str, ...]:
        command = super().configure()
        with Path(command[-1]).open("a") as properties:
            properties.write(f"num.partitions={PARTITIONS}\n")
        return command


@pytest.fixture(scope="module")
def broker() -> Iterator[DedicatedServer]:
    with DedicatedServer(ManyPartitions()) as own:
        yield own


@pytest.fixture(scope="module")
def timba(
    broker: DedicatedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TimbaProcess]:
    folder = tmp_path_factory.mktemp("kafka")
    with TimbaProcess(folder, SERVE, **broker.variables()) as timba:
        yield timba


@pytest.fixture(scope="module")
def owner(timba: TimbaProcess) -> ApiClient:
    return timba.create_owner()


@pytest.fixture
def read_back(broker: DedicatedServer, settings: Settings) -> Any:
    """Return what reads a topic with Timba's own consumer, as an answer to a topic's name."""
    settings.KAFKA_BOOTSTRAP_SERVERS = broker.server.address

    def read(topic: str) -> list[Message]:
        try:
            return list(read_kafka(EventFilter(topic=topic)))
        except NotFound:  # its first event has not been delivered yet
            return []

    return read


def waiting(timba: TimbaProcess) -> dict[str, str]:
    """Return how its parts are, as /health/ready says it."""
    response = requests.get(f"{timba.url}/health/ready", timeout=60)
    assert response.status_code == 200, response.text
    return {"status": response.json()["status"], **response.json()["checks"]}


def test_a_notes_change_reaches_kafka_as_the_contract_has_it(
    timba: TimbaProcess, owner: ApiClient, broker: DedicatedServer, read_back: Any
) -> None:
    note = owner.post("/api/notes/", json={"title": "Seal", "content": "ķīlis, intact"}).json()
    path = f"/api/notes/{note['id']}/"
    request = {"X-Request-ID": "from-the-gate"}
    changed = owner.request("PATCH", path, json={"content": "broken"}, headers=request).json()
    events = owner.get("/api/events/", params={"after": 0, "topic": "note_events"}).json()
    listed = [event for event in events["events"] if event["key"] == str(note["id"])]
    wait_until(
        lambda: len([m for m in read_back("note_events") if m.key == str(note["id"])]) == 2,
        seconds=60,
        what="both events are in Kafka",
    )
    ours = [parse_message(m) for m in read_back("note_events") if m.key == str(note["id"])]
    assert [(event.id, event.sequence, event.type) for event in ours] == [
        (event["id"], event["sequence"], event["type"]) for event in listed
    ]
    theirs = [
        one
        for one in read_topic(broker.server.address, "note_events")
        if one.key == str(note["id"])
    ]
    assert [(one.value["action"], one.value["note"]) for one in theirs] == [
        ("create", note),
        ("update", changed),
    ]
    assert theirs[1].headers == {
        "ce_specversion": "1.0",
        "ce_id": listed[1]["id"],
        "ce_source": f"/clients/{ours[1].client_id}/notes",
        "ce_type": "timba.note.updated",
        "ce_subject": str(note["id"]),
        "ce_time": listed[1]["time"],
        "ce_sequence": str(listed[1]["sequence"]),
        "ce_epoch": "1",
        "ce_requestid": "from-the-gate",
        "ce_clientid": str(ours[1].client_id),
        "content-type": "application/json",
    }


def test_a_topic_has_as_many_partitions_as_the_broker_gives_new_ones(
    owner: ApiClient, broker: DedicatedServer
) -> None:
    load = {"name": "Lorry 7", "type": "pinewood"}
    assert owner.post("/api/consignments/", json=load).status_code == 201
    admin = AdminClient({"bootstrap.servers": broker.server.address})

    def partitions() -> int:
        topic = admin.list_topics(timeout=60).topics.get("consignment_events")
        return len(topic.partitions) if topic else 0

    wait_until(lambda: partitions() > 0, seconds=60, what="the topic is there")
    assert partitions() == PARTITIONS


def test_a_broker_that_is_killed_loses_nothing_and_no_request_fails(
    timba: TimbaProcess, owner: ApiClient, broker: DedicatedServer, read_back: Any
) -> None:
    statuses: list[int] = []

    def write(client: ApiClient) -> list[int]:
        """Make and change notes in turn; return their ids."""
        ids = []
        for _ in range(NOTES_EACH):
            response = client.post("/api/notes/", json={"title": "0", "content": ""})
            statuses.append(response.status_code)
            ids.append(response.json()["id"])
        for number, note in itertools.product(range(1, CHANGES_OF_A_NOTE), ids):
            response = client.request("PATCH", f"/api/notes/{note}/", json={"title": str(number)})
            statuses.append(response.status_code)
        return ids

    with ThreadPoolExecutor(WRITERS) as pool:
        clients = [timba.sign_in("owner", PASSWORD) for _ in range(WRITERS)]
        writers = [pool.submit(write, client) for client in clients]
        wait_until(lambda: len(statuses) > ALL_CHANGES / 4, seconds=120, what="a quarter is made")
        broker.kill()
        made_before = len(statuses)
        wait_until(lambda: waiting(timba)["kafka"] == "down", seconds=60, what="Kafka is missed")
        assert waiting(timba)["status"] == "degraded"
        assert len(statuses) > made_before, "changes are made while the broker is away"
        broker.start()
        notes = {str(note) for writer in writers for note in writer.result(timeout=300)}
    assert len(statuses) == ALL_CHANGES
    assert set(statuses) == {200, 201}
    wait_until(lambda: waiting(timba)["status"] == "ok", seconds=60, what="all is well again")

    def titles() -> dict[str, list[int]]:
        """Return the titles of each note in the order in which they were first delivered."""
        taken: dict[str, list[int]] = defaultdict(list)
        first = Deduplicator()
        for message in read_back("note_events"):
            event: ReceivedEvent | None = first.accept(message)
            if event is not None and event.key in notes:
                taken[event.key].append(int(event.value["note"]["title"]))
        return taken

    wait_until(
        lambda: sum(map(len, titles().values())) == ALL_CHANGES,
        seconds=60,
        what="every change is in Kafka",
    )
    assert titles() == {note: list(range(CHANGES_OF_A_NOTE)) for note in notes}
    theirs = read_topic(broker.server.address, "note_events")
    assert {(one.key, one.value["note"]["title"]) for one in theirs if one.key in notes} == {
        (note, str(number)) for note in notes for number in range(CHANGES_OF_A_NOTE)
    }
