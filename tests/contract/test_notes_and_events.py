"""“Notes and events”: notes, and the history that every change leaves."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from tests.contract.answers import TIME, UUID, assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import add, sent
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.events import history
from timba.events.messages import build_message
from timba.events.models import OutboxEvent
from timba.events.publishers import open_publisher
from timba.events.relay import Relay

pytestmark = pytest.mark.django_db

NOTE = ["id", "title", "content", "consignment_id", "created_at", "updated_at"]
EVENT = ["id", "sequence", "topic", "key", "type", "time", "actor_id", "value"]
NOTES, EVENTS = "/api/notes/", "/api/events/"


def events(program: APIClient, **asked: Any) -> list[dict[str, Any]]:
    answer = program.get(EVENTS, asked)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


# --- Notes ---------------------------------------------------------------------------------------


def test_a_note_is_written_read_changed_and_deleted(program: APIClient, load: Consignment) -> None:
    answer = program.post(NOTES, {"title": "Lorry 7", "consignment_id": load.pk})
    assert answer.status_code == 201
    note = answer.json()
    assert list(note) == NOTE
    expected = {"title": "Lorry 7", "content": "", "consignment_id": load.pk}
    assert {name: note[name] for name in expected} == expected
    assert TIME.fullmatch(note["created_at"])
    url = f"{NOTES}{note['id']}/"
    assert program.get(url).json() == note

    changed = program.patch(url, {"content": "bark"})
    assert changed.status_code == 200
    assert changed.json() == {**note, "content": "bark", "updated_at": changed.json()["updated_at"]}
    assert changed.json()["updated_at"] > note["updated_at"]

    replaced = program.put(url, {"title": "Lorry 8"})
    assert replaced.status_code == 200
    assert (replaced.json()["content"], replaced.json()["consignment_id"]) == ("", None)

    gone = program.delete(url)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(program.get(url), 404)


@pytest.mark.parametrize("title", ["x", "木" * 100, " padded ", "<b>"])
def test_a_title_of_1_to_100_characters_is_kept(title: str, program: APIClient) -> None:
    assert program.post(NOTES, {"title": title}).json()["title"] == title


@pytest.mark.parametrize("title", ["", " ", "x" * 101, None, 7.5, [], {}, True])
def test_any_other_title_is_400(title: Any, program: APIClient) -> None:
    answer = program.post(NOTES, {"title": title})
    if title == 7.5:
        assert answer.json()["title"] == "7.5"
    else:
        assert assert_problem(answer, 400)["errors"].keys() == {"title"}


def test_a_consignment_that_is_not_there_is_404(program: APIClient) -> None:
    for consignment_id in (9, 2**63):
        body = {"title": "x", "consignment_id": consignment_id}
        assert_problem(program.post(NOTES, body), 404)
    assert_problem(program.get(NOTES, {"consignment_id": 9}), 404)


def test_the_list_is_searched_and_narrowed(program: APIClient, load: Consignment) -> None:
    program.post(NOTES, {"title": "Bark", "content": "wet"})
    program.post(NOTES, {"title": "Lorry", "content": "no BARK", "consignment_id": load.pk})

    def titles(**asked: Any) -> list[str]:
        said = program.get(NOTES, asked).json()
        assert list(said) == ["results", "next"]
        assert all(list(note) == NOTE for note in said["results"])
        return [note["title"] for note in said["results"]]

    assert titles() == ["Lorry", "Bark"]
    assert titles(q="bark") == ["Lorry", "Bark"]
    assert titles(q="wet") == ["Bark"]
    assert titles(q="100%") == []
    assert titles(consignment_id=load.pk) == ["Lorry"]


# --- Events --------------------------------------------------------------------------------------


def test_a_notes_create_update_and_delete_are_events(program: APIClient, owner: User) -> None:
    note = program.post(NOTES, {"title": "Lorry"}).json()
    url = f"{NOTES}{note['id']}/"
    changed = program.patch(url, {"title": "Lorry 7"}).json()
    program.delete(url)
    found = events(program)
    assert [list(event) for event in found] == [EVENT] * 3
    assert [event["value"] for event in found] == [
        {"action": "create", "note": note},
        {"action": "update", "note": changed},
        {"action": "delete", "note": changed},
    ]
    assert [event["type"] for event in found] == [
        "timba.note.created",
        "timba.note.updated",
        "timba.note.deleted",
    ]
    assert [event["sequence"] for event in found] == [1, 2, 3]
    for event in found:
        assert UUID.fullmatch(event["id"])
        assert TIME.fullmatch(event["time"])
        assert (event["topic"], event["key"]) == ("note_events", str(note["id"]))
        assert event["actor_id"] == owner.pk


def test_a_message_is_a_cloudevent_in_binary_mode(program: APIClient, owner: User) -> None:
    note = program.post(NOTES, {"title": "Lorry"}, headers={"X-Request-ID": "r-7"}).json()
    [event] = events(program)
    message = build_message(OutboxEvent.objects.get())
    assert (message.topic, message.key) == ("note_events", str(note["id"]))
    assert message.headers == {
        "ce_specversion": "1.0",
        "ce_id": event["id"],
        "ce_source": f"/clients/{owner.client_id}/notes",
        "ce_type": "timba.note.created",
        "ce_subject": str(note["id"]),
        "ce_time": event["time"],
        "ce_sequence": "1",
        "ce_epoch": "1",
        "ce_requestid": "r-7",
        "ce_clientid": str(owner.client_id),
        "content-type": "application/json",
    }


def test_consignments_logs_and_files_tell_theirs(
    program: APIClient, owner: User, work: Work
) -> None:
    load = program.put("/timba/consignment", {"name": "Load", "type": "hardwood"}).json()["data"]
    measures = {"consignment_id": load["id"], "length": 4, "breadth": 30, "height": 30}
    log = program.put("/timba/log", measures).json()["data"]
    good = add(program, sent("Hello", "a.txt"))
    bad = add(program, sent("nonsense", "b.csv"), kind="temperatures")
    work()
    program.patch(f"/api/files/{good['id']}/", {"consignment_id": load["id"]})
    program.delete(f"/api/files/{good['id']}/")
    found = [(event["topic"], event["value"]["action"], event["key"]) for event in events(program)]
    assert found == [
        ("consignment_events", "create", str(load["id"])),
        # Adding a log is a log event, not a consignment event.
        ("log_events", "create", str(log["id"])),
        ("file_events", "create", good["id"]),
        ("file_events", "create", bad["id"]),
        ("file_events", "success", good["id"]),
        ("file_events", "failure", bad["id"]),
        ("file_events", "update", good["id"]),
        ("file_events", "delete", good["id"]),
    ]
    values = [event["value"] for event in events(program)]
    assert values[0]["consignment"] == load
    assert values[1]["log"] == log
    assert values[2]["file"] == good
    assert values[4]["file"]["status"] == "SUCCESS"
    assert values[4]["file"]["result"]["chars"] == 5
    assert values[5]["file"]["error"]


def test_the_history_is_read_on_from_a_sequence_by_topic_oldest_first(
    program: APIClient,
) -> None:
    for number in range(5):
        program.post(NOTES, {"title": str(number)})
    program.put("/timba/consignment", {"name": "Load", "type": "hardwood"})
    assert [event["sequence"] for event in events(program)] == [1, 2, 3, 4, 5, 6]
    assert [event["sequence"] for event in events(program, after=4)] == [5, 6]
    assert [e["sequence"] for e in events(program, topic="consignment_events")] == [6]
    assert events(program, topic="log_events") == []
    first = program.get(EVENTS, {"limit": 2}).json()
    assert list(first) == ["events", "next"]
    second = program.get(first["next"]).json()
    assert [event["sequence"] for event in second["events"]] == [3, 4]
    last = program.get(EVENTS, {"after": 6}).json()
    assert last["events"] == []
    assert last["next"] == "http://testserver/api/events/?after=6"


@pytest.mark.parametrize(
    "asked", [{"after": "x"}, {"after": -1}, {"after": 2**70}, {"wait": 26}, {"wait": "x"}]
)
def test_what_is_no_sequence_or_wait_is_400(asked: dict[str, Any], program: APIClient) -> None:
    assert assert_problem(program.get(EVENTS, asked), 400)["errors"].keys() == asked.keys()


def test_a_client_reads_its_own_events_alone(
    program: APIClient, make_user: MakeUser, as_user: AsUser
) -> None:
    program.post(NOTES, {"title": "Lorry"})
    other = as_user(make_user(client=ClientFactory()))
    assert events(other) == []
    other.post(NOTES, {"title": "theirs"})
    assert [event["sequence"] for event in events(other)] == [1]


def test_wait_holds_the_answer_but_not_when_there_is_something(
    program: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    assert events(program, wait=1) == []
    assert time.monotonic() - started >= 1
    program.post(NOTES, {"title": "Lorry"})
    naps: list[float] = []
    monkeypatch.setattr(history.time, "sleep", naps.append)
    assert len(events(program, wait=25)) == 1
    assert naps == []


def test_a_refused_write_leaves_no_event(program: APIClient, load: Consignment) -> None:
    program.post(NOTES, {"title": ""})
    program.put("/timba/consignment", {"name": load.name, "type": "hardwood"})
    assert events(program) == []


def test_consume_prints_them(
    make_user: MakeUser, as_user: AsUser, capsys: pytest.CaptureFixture[str]
) -> None:
    # Kafka, where it is configured, keeps what other runs said: this client has no namesake there.
    client = ClientFactory(pk=secrets.randbelow(2**40))
    program = as_user(make_user(client=client))
    note = program.post(NOTES, {"title": "Rīga"}).json()
    program.put("/timba/consignment", {"name": "Load", "type": "hardwood"})
    with closing(Relay(open_publisher=open_publisher)) as relay:
        relay.run_once()
    call_command("consume", "note_events", client=client.pk)
    said = capsys.readouterr().out
    assert f'"id":{note["id"]},"title":"Rīga"' in said
    assert "Load" not in said
