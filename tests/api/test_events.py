"""`GET /api/events/`: the events of one client, oldest first, and waiting for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import Client, User
from timba.events import history
from timba.events.models import OutboxEvent, Stream
from timba.notes.services import change_note, delete_note, write_note

Meanwhile = Callable[[Callable[[], object]], None]


def keep_notes(user: User, *titles: str) -> None:
    assert user.client is not None
    for title in titles:
        write_note(actor=user, client=user.client, title=title)


def titles(response: Any) -> list[str]:
    return [event["value"]["note"]["title"] for event in response.json()["events"]]


def test_event_matches_the_contract(make_user: MakeUser) -> None:
    user = make_user()
    api_client = api_client_of(user)
    note = api_client.post("/api/notes/", {"title": "Gate", "content": "shut"}).json()
    response = api_client.get("/api/events/")
    row = OutboxEvent.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "events": [
            {
                "id": str(row.event_id),
                "epoch": 1,
                "sequence": 1,
                "topic": "note_events",
                "key": str(note["id"]),
                "type": "timba.note.created",
                "time": row.time.isoformat().replace("+00:00", "Z"),
                "actor_id": user.pk,
                "value": {"action": "create", "note": note},
            }
        ],
        "next": "http://testserver/api/events/?after=1.1",
    }


def test_create_update_and_delete_are_listed_in_order(make_user: MakeUser) -> None:
    user = make_user()
    assert user.client is not None
    note = write_note(actor=user, client=user.client, title="one")
    change_note(actor=user, note=note, title="two", content="", consignment=None)
    delete_note(actor=user, note=note)
    events = api_client_of(user).get("/api/events").json()["events"]
    assert [(e["value"]["action"], e["value"]["note"]["title"]) for e in events] == [
        ("create", "one"),
        ("update", "two"),
        ("delete", "two"),
    ]


def test_next_continues_and_is_never_null(make_user: MakeUser) -> None:
    user = make_user()
    api_client = api_client_of(user)
    keep_notes(user, "a", "b", "c")
    first = api_client.get("/api/events/?limit=2&topic=note_events")
    assert titles(first) == ["a", "b"]
    second = api_client.get(first.json()["next"])
    assert titles(second) == ["c"]
    assert api_client.get(second.json()["next"]).json() == {
        "events": [],
        "next": "http://testserver/api/events/?limit=2&topic=note_events&after=1.3",
    }
    keep_notes(user, "d")
    assert titles(api_client.get(second.json()["next"])) == ["d"]


def test_topic_filters(make_user: MakeUser) -> None:
    user = make_user()
    keep_notes(user, "a")
    api_client = api_client_of(user)
    assert titles(api_client.get("/api/events/?topic=note_events")) == ["a"]
    assert api_client.get("/api/events/?topic=file_events").json()["events"] == []
    assert titles(api_client.get("/api/events/?topic=")) == ["a"]


def test_a_client_sees_its_own_events_only(make_user: MakeUser) -> None:
    mine, theirs = make_user(), make_user(client=ClientFactory())
    keep_notes(mine, "mine")
    keep_notes(theirs, "theirs")
    assert titles(api_client_of(mine).get("/api/events/")) == ["mine"]
    assert titles(api_client_of(theirs).get("/api/events/")) == ["theirs"]
    own = api_client_of(mine).get("/api/events/", {"client_id": mine.client_id})
    assert titles(own) == ["mine"]
    foreign = api_client_of(mine).get("/api/events/", {"client_id": theirs.client_id})
    absent = api_client_of(mine).get("/api/events/", {"client_id": 999_999})
    assert (foreign.status_code, foreign.content) == (404, absent.content)


def test_staff_say_for_which_client(make_user: MakeUser, staff: User) -> None:
    user = make_user()
    keep_notes(user, "a")
    assert titles(api_client_of(staff).get("/api/events/", {"client_id": user.client_id})) == ["a"]
    response = api_client_of(staff).get("/api/events/")
    assert response.status_code == 400
    assert response.json()["errors"] == {"client_id": ["Say for which client: give its client_id."]}


def test_reading_needs_no_permission_and_no_subscription(
    make_user: MakeUser, client_company: Client
) -> None:
    keep_notes(make_user(), "a")
    client_company.subscription.current_period_end = client_company.created_at
    client_company.subscription.save()
    assert titles(api_client_of(make_user(role="viewer")).get("/api/events/")) == ["a"]


@pytest.mark.django_db
def test_anonymous_request_for_events_is_401() -> None:
    assert APIClient().get("/api/events/").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=1.-5",
        "after=1.2.3",
        "after=.5",
        "after=9223372036854775808",
        "after=" + "9" * 5000,
        "limit=0",
        "limit=1001",
        "limit=x",
        "wait=26",
        "wait=-1",
        "wait=x",
        "topic=%00",
        "client_id=x",
    ],
)
def test_invalid_parameters_of_events_are_400(make_user: MakeUser, query: str) -> None:
    response = api_client_of(make_user()).get(f"/api/events/?{query}")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def restore_to(sequence: int, *, epoch: int) -> None:
    """Do to the events what a restore from a backup does that was made after that number."""
    OutboxEvent.objects.filter(sequence__gt=sequence).delete()
    Stream.objects.update(last_sequence=sequence, epoch=epoch)


def test_a_bare_number_beyond_a_restore_is_led_back_to_it(make_user: MakeUser) -> None:
    user = make_user()
    keep_notes(user, "a", "b", "c")
    api_client = api_client_of(user)
    restore_to(1, epoch=2)
    led_back = api_client.get("/api/events/?after=3")
    assert led_back.json()["events"] == []
    keep_notes(user, "d", "e", "f")
    assert titles(api_client.get(led_back.json()["next"])) == ["d", "e", "f"]


def test_following_next_across_a_restore_is_409_and_continues_where_it_was(
    make_user: MakeUser,
) -> None:
    user = make_user()
    keep_notes(user, "a", "b", "c")
    api_client = api_client_of(user)
    following = api_client.get("/api/events/?topic=note_events").json()["next"]
    restore_to(1, epoch=7)
    keep_notes(user, "d", "e", "f")
    response = api_client.get(following)
    go_on = "http://testserver/api/events/?topic=note_events&after=7.1"
    assert response.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Timba was restored from a backup, and the events after it were lost. "
        "Go on with after=7.1.",
    }
    assert response.status_code == 409
    assert response["Link"] == f'<{go_on}>; rel="next"'
    assert titles(api_client.get(go_on)) == ["d", "e", "f"]


@pytest.mark.parametrize(
    ("after", "go_on"),
    [
        ("1.2", "9.2"),  # before all restores
        ("1.5", "9.3"),  # events that the first restore lost
        ("4.5", "9.4"),  # one that the second restore lost
        ("4.4", "9.4"),
        ("0.0", "9.0"),
        ("10.5", "9.0"),  # an epoch that the backup does not know
        ("9999999999.5", "9.0"),  # more than the column holds
    ],
)
def test_a_position_in_an_older_epoch_is_409_with_what_was_not_lost(
    make_user: MakeUser, after: str, go_on: str
) -> None:
    user = make_user()
    keep_notes(user, "a", "b", "c")
    restore_to(3, epoch=4)
    keep_notes(user, "d")
    restore_to(4, epoch=9)
    keep_notes(user, "e")
    response = api_client_of(user).get(f"/api/events/?after={after}")
    assert response.status_code == 409
    assert response["Link"] == f'<http://testserver/api/events/?after={go_on}>; rel="next"'


def test_a_client_created_after_a_restore_begins_in_its_epoch(make_user: MakeUser) -> None:
    keep_notes(make_user(), "a")
    restore_to(1, epoch=5)
    other = make_user(client=ClientFactory())
    keep_notes(other, "b")
    [event] = api_client_of(other).get("/api/events/").json()["events"]
    assert (event["epoch"], event["sequence"]) == (5, 1)


def test_other_methods_of_events_are_405(make_user: MakeUser) -> None:
    assert api_client_of(make_user()).post("/api/events/", {}).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_wait_holds_the_response_until_there_is_an_event(
    make_user: MakeUser, meanwhile: Meanwhile
) -> None:
    user = make_user()
    meanwhile(lambda: keep_notes(user, "a"))
    assert titles(api_client_of(user).get("/api/events/?wait=20")) == ["a"]


def _sign_out_everywhere(user: User) -> None:
    User.unscoped.filter(pk=user.pk).update(is_active=False)
    keep_notes(user, "secret")


@pytest.mark.django_db(transaction=True)
def test_token_of_a_user_deactivated_while_waiting_is_401(
    make_user: MakeUser, meanwhile: Meanwhile
) -> None:
    user = make_user()
    api_client = api_client_of(user)
    meanwhile(lambda: _sign_out_everywhere(user))
    assert api_client.get("/api/events/?wait=20").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_session_of_a_user_deactivated_while_waiting_is_401(
    make_user: MakeUser, meanwhile: Meanwhile
) -> None:
    user = make_user()
    browser = Browser()
    browser.force_login(user, backend="timba.accounts.sign_in.MemberBackend")
    assert browser.get("/api/events/?wait=0").status_code == 200
    meanwhile(lambda: _sign_out_everywhere(user))
    assert browser.get("/api/events/?wait=20").status_code == 401


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Return a function that makes something happen once, while a response is held back."""

    def arrange(do: Callable[[], object]) -> None:
        def happen() -> None:
            do()
            connection.close()

        waiting = threading.Event()
        sleep = history.time.sleep

        def first_nap(seconds: float) -> None:
            if not waiting.is_set():
                waiting.set()
                other = threading.Thread(target=happen)
                other.start()
                other.join()
            sleep(seconds)

        monkeypatch.setattr(history.time, "sleep", first_nap)

    return arrange
