"""“Notes and events”: notes, and the history of every change."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.conftest import ProcessPending
from tests.contract.responses import TIME, UUID, assert_problem
from tests.contract.uploads import create_file, form_file
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.events import history
from timba.events.messages import build_message
from timba.events.models import OutboxEvent, Stream
from timba.events.publishers import open_publisher
from timba.events.relay import Relay

pytestmark = pytest.mark.django_db

NOTE = ["id", "title", "content", "consignment_id", "created_at", "updated_at"]
EVENT = ["id", "epoch", "sequence", "topic", "key", "type", "time", "actor_id", "value"]
NOTES, EVENTS = "/api/notes/", "/api/events/"


def events(api_client: APIClient, **params: Any) -> list[dict[str, Any]]:
    response = api_client.get(EVENTS, params)
    assert response.status_code == 200
    event_list: list[dict[str, Any]] = response.json()["events"]
    return event_list


# --- Notes ---------------------------------------------------------------------------------------


def test_a_note_is_written_read_changed_and_deleted(
    api_client: APIClient, consignment: Consignment
) -> None:
    response = api_client.post(NOTES, {"title": "Lorry 7", "consignment_id": consignment.pk})
    assert response.status_code == 201
    note = response.json()
    assert list(note) == NOTE
    expected = {"title": "Lorry 7", "content": "", "consignment_id": consignment.pk}
    assert {name: note[name] for name in expected} == expected
    assert TIME.fullmatch(note["created_at"])
    url = f"{NOTES}{note['id']}/"
    assert api_client.get(url).json() == note

    changed = api_client.patch(url, {"content": "bark"})
    assert changed.status_code == 200
    assert changed.json() == {**note, "content": "bark", "updated_at": changed.json()["updated_at"]}
    assert changed.json()["updated_at"] > note["updated_at"]

    replaced = api_client.put(url, {"title": "Lorry 8"})
    assert replaced.status_code == 200
    assert (replaced.json()["content"], replaced.json()["consignment_id"]) == ("", None)

    gone = api_client.delete(url)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(api_client.get(url), 404)


@pytest.mark.parametrize("title", ["x", "木" * 100, " padded ", "<b>"])
def test_a_title_of_1_to_100_characters_is_kept(title: str, api_client: APIClient) -> None:
    assert api_client.post(NOTES, {"title": title}).json()["title"] == title


@pytest.mark.parametrize("title", ["", " ", "x" * 101, None, 7.5, [], {}, True])
def test_an_invalid_title_is_400(title: Any, api_client: APIClient) -> None:
    response = api_client.post(NOTES, {"title": title})
    if title == 7.5:
        assert response.json()["title"] == "7.5"
    else:
        assert assert_problem(response, 400)["errors"].keys() == {"title"}


def test_an_absent_consignment_is_404(api_client: APIClient) -> None:
    for consignment_id in (9, 2**63):
        body = {"title": "x", "consignment_id": consignment_id}
        assert_problem(api_client.post(NOTES, body), 404)
    assert_problem(api_client.get(NOTES, {"consignment_id": 9}), 404)


def test_the_list_is_searched_and_filtered(api_client: APIClient, consignment: Consignment) -> None:
    api_client.post(NOTES, {"title": "Bark", "content": "wet"})
    api_client.post(
        NOTES, {"title": "Lorry", "content": "no BARK", "consignment_id": consignment.pk}
    )

    def titles(**params: Any) -> list[str]:
        payload = api_client.get(NOTES, params).json()
        assert list(payload) == ["results", "next"]
        assert all(list(note) == NOTE for note in payload["results"])
        return [note["title"] for note in payload["results"]]

    assert titles() == ["Lorry", "Bark"]
    assert titles(q="bark") == ["Lorry", "Bark"]
    assert titles(q="wet") == ["Bark"]
    assert titles(q="100%") == []
    assert titles(consignment_id=consignment.pk) == ["Lorry"]


# --- Events --------------------------------------------------------------------------------------


def test_a_notes_create_update_and_delete_are_events(api_client: APIClient, owner: User) -> None:
    note = api_client.post(NOTES, {"title": "Lorry"}).json()
    url = f"{NOTES}{note['id']}/"
    changed = api_client.patch(url, {"title": "Lorry 7"}).json()
    api_client.delete(url)
    event_list = events(api_client)
    assert [list(event) for event in event_list] == [EVENT] * 3
    assert [event["value"] for event in event_list] == [
        {"action": "create", "note": note},
        {"action": "update", "note": changed},
        {"action": "delete", "note": changed},
    ]
    assert [event["type"] for event in event_list] == [
        "timba.note.created",
        "timba.note.updated",
        "timba.note.deleted",
    ]
    assert [event["sequence"] for event in event_list] == [1, 2, 3]
    for event in event_list:
        assert UUID.fullmatch(event["id"])
        assert TIME.fullmatch(event["time"])
        assert (event["topic"], event["key"]) == ("note_events", str(note["id"]))
        assert event["actor_id"] == owner.pk


def test_a_message_is_a_cloudevent_in_binary_mode(api_client: APIClient, owner: User) -> None:
    note = api_client.post(NOTES, {"title": "Lorry"}, headers={"X-Request-ID": "r-7"}).json()
    [event] = events(api_client)
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


def test_changes_of_consignments_logs_and_files_are_events(
    api_client: APIClient, owner: User, process_pending: ProcessPending
) -> None:
    consignment = api_client.put("/timba/consignment", {"name": "Load", "type": "hardwood"}).json()[
        "data"
    ]
    measures = {"consignment_id": consignment["id"], "length": 4, "breadth": 30, "height": 30}
    log = api_client.put("/timba/log", measures).json()["data"]
    good = create_file(api_client, form_file("Hello", "a.txt"))
    bad = create_file(api_client, form_file("nonsense", "b.csv"), kind="temperatures")
    process_pending()
    api_client.patch(f"/api/files/{good['id']}/", {"consignment_id": consignment["id"]})
    api_client.delete(f"/api/files/{good['id']}/")
    event_list = [
        (event["topic"], event["value"]["action"], event["key"]) for event in events(api_client)
    ]
    assert event_list == [
        ("consignment_events", "create", str(consignment["id"])),
        # Adding a log is a log event, not a consignment event.
        ("log_events", "create", str(log["id"])),
        ("file_events", "create", good["id"]),
        ("file_events", "create", bad["id"]),
        ("file_events", "success", good["id"]),
        ("file_events", "failure", bad["id"]),
        ("file_events", "update", good["id"]),
        ("file_events", "delete", good["id"]),
    ]
    values = [event["value"] for event in events(api_client)]
    assert values[0]["consignment"] == consignment
    assert values[1]["log"] == log
    assert values[2]["file"] == good
    assert values[4]["file"]["status"] == "SUCCESS"
    assert values[4]["file"]["result"]["chars"] == 5
    assert values[5]["file"]["error"]


def test_the_history_is_read_after_a_sequence_by_topic_oldest_first(
    api_client: APIClient,
) -> None:
    for number in range(5):
        api_client.post(NOTES, {"title": str(number)})
    api_client.put("/timba/consignment", {"name": "Load", "type": "hardwood"})
    assert [event["sequence"] for event in events(api_client)] == [1, 2, 3, 4, 5, 6]
    assert [event["sequence"] for event in events(api_client, after=4)] == [5, 6]
    assert [e["sequence"] for e in events(api_client, topic="consignment_events")] == [6]
    assert events(api_client, topic="log_events") == []
    first = api_client.get(EVENTS, {"limit": 2}).json()
    assert list(first) == ["events", "next"]
    second = api_client.get(first["next"]).json()
    assert [event["sequence"] for event in second["events"]] == [3, 4]
    last = api_client.get(EVENTS, {"after": 6}).json()
    assert last["events"] == []
    assert last["next"] == "http://testserver/api/events/?after=1.6"


def test_after_a_restore_the_older_epoch_is_409_and_says_where_to_start(
    api_client: APIClient,
) -> None:
    api_client.post(NOTES, {"title": "before"})
    api_client.post(NOTES, {"title": "lost"})
    following = api_client.get(EVENTS).json()["next"]
    OutboxEvent.objects.filter(sequence=2).delete()
    Stream.objects.update(last_sequence=1, epoch=2)
    api_client.post(NOTES, {"title": "after"})
    problem = assert_problem(api_client.get(following), 409)
    assert problem["detail"].endswith("Go on with after=2.1.")
    [event] = events(api_client, after="2.1")
    assert (event["epoch"], event["sequence"]) == (2, 2)
    assert event["value"]["note"]["title"] == "after"
    # A bare number means the current epoch.
    assert [event["sequence"] for event in events(api_client, after=1)] == [2]


@pytest.mark.parametrize(
    "params", [{"after": "x"}, {"after": -1}, {"after": 2**70}, {"wait": 26}, {"wait": "x"}]
)
def test_an_invalid_sequence_or_wait_is_400(params: dict[str, Any], api_client: APIClient) -> None:
    assert assert_problem(api_client.get(EVENTS, params), 400)["errors"].keys() == params.keys()


def test_a_client_reads_only_its_own_events(api_client: APIClient, make_user: MakeUser) -> None:
    api_client.post(NOTES, {"title": "Lorry"})
    other = api_client_of(make_user(client=ClientFactory()))
    assert events(other) == []
    other.post(NOTES, {"title": "theirs"})
    assert [event["sequence"] for event in events(other)] == [1]


def test_wait_delays_the_response_only_while_there_is_no_event(
    api_client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    assert events(api_client, wait=1) == []
    assert time.monotonic() - started >= 1
    api_client.post(NOTES, {"title": "Lorry"})
    sleeps: list[float] = []
    monkeypatch.setattr(history.time, "sleep", sleeps.append)
    assert len(events(api_client, wait=25)) == 1
    assert sleeps == []


def test_a_rejected_write_publishes_no_event(
    api_client: APIClient, consignment: Consignment
) -> None:
    api_client.post(NOTES, {"title": ""})
    api_client.put("/timba/consignment", {"name": consignment.name, "type": "hardwood"})
    assert events(api_client) == []


def test_the_command_consume_prints_events(
    make_user: MakeUser, capsys: pytest.CaptureFixture[str]
) -> None:
    # Kafka, if it is configured, keeps the messages of earlier runs: no other has this client id.
    client = ClientFactory(pk=secrets.randbelow(2**40))
    api_client = api_client_of(make_user(client=client))
    note = api_client.post(NOTES, {"title": "Rīga"}).json()
    api_client.put("/timba/consignment", {"name": "Load", "type": "hardwood"})
    with closing(Relay(open_publisher=open_publisher)) as relay:
        relay.run_once()
    call_command("consume", "note_events", client=client.pk)
    output = capsys.readouterr().out
    assert f'"id":{note["id"]},"title":"Rīga"' in output
    assert "Load" not in output
