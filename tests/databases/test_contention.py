"""Concurrent writes on a real database: conflicts are retried, and nothing happens twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import PASSWORD
from tests.threads import at_once
from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.services import add_user
from timba.accounts.tokens import TokenPair, issue_tokens, rotate_tokens
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.db.transactions import retry_on_deadlock
from timba.errors import Conflict, NotSignedIn, SeatsTaken
from timba.events.models import OutboxEvent, Stream
from timba.notes.models import Note
from timba.notes.services import change_note, write_note

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def kinds(outcomes: list[Any]) -> Counter[type]:
    return Counter(type(outcome) for outcome in outcomes)


class TakesNoteThenStream:
    """Watches a service that locks a note, then the client's stream; counts how often it began."""

    def __init__(self) -> None:
        self.began = 0
        self.asks_for_stream = threading.Event()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "events_stream" in sql:
            self.asks_for_stream.set()
        result = execute(sql, params, many, context)
        if "FOR UPDATE" in sql and "notes_note" in sql:
            self.began += 1
        return result


@pytest.mark.only_on("postgresql", "mysql")
def test_the_loser_of_a_deadlock_is_retried(owner: User) -> None:
    assert owner.client is not None
    note = write_note(actor=owner, client=owner.client, title="Lorry 7", content="first")
    watch, has_stream = TakesNoteThenStream(), threading.Event()
    rival_ended = []

    def rival() -> None:
        with transaction.atomic():
            # Much was written here, so that MariaDB too lets the service be the one that loses.
            Stream.objects.bulk_create(Stream(client_id=-number) for number in range(1, 200))
            Stream.objects.select_for_update().get(client_id=owner.client_id)
            has_stream.set()
            assert watch.asks_for_stream.wait(60)
            time.sleep(0.3)  # by now it waits for the stream
            Note.unscoped.select_for_update().get(pk=note.pk)
        rival_ended.append(True)
        connection.close()

    thread = threading.Thread(target=rival)
    thread.start()
    assert has_stream.wait(60)
    with connection.execute_wrapper(watch):
        change_note(actor=owner, note=note, title="Lorry 7", content="second", consignment=None)
    thread.join(60)

    assert watch.began == 2
    assert rival_ended == [True]
    assert Note.unscoped.get(pk=note.pk).content == "second"
    types = OutboxEvent.objects.order_by("sequence").values_list("type", flat=True)
    assert list(types) == ["timba.note.created", "timba.note.updated"]


@pytest.mark.only_on("postgresql")
def test_a_serialization_failure_is_retried(client_company: Client) -> None:
    rows = Client.unscoped.filter(pk=client_company.pk)
    tries = []

    def interfere() -> None:
        rows.update(contact="another's")
        connection.close()

    @retry_on_deadlock
    def write() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            tries.append(rows.get().contact)
            if len(tries) == 1:
                thread = threading.Thread(target=interfere)
                thread.start()
                thread.join()
            rows.update(contact=f"{tries[-1]}, then ours")

    write()
    assert tries == ["", "another's"]
    assert rows.get().contact == "another's, then ours"


@pytest.mark.only_on("postgresql", "mysql")
def test_a_transaction_sees_what_others_have_committed(client_company: Client) -> None:
    rows = Client.unscoped.filter(pk=client_company.pk)

    def commit() -> None:
        rows.update(contact="new")
        connection.close()

    with transaction.atomic():
        assert rows.get().contact == ""
        thread = threading.Thread(target=commit)
        thread.start()
        thread.join()
        assert rows.get().contact == "new"


def test_totals_are_exact_under_concurrent_writes(owner: User) -> None:
    load = Consignment.unscoped.create(client=owner.client, name="Load", type="hardwood")

    def add(number: int) -> None:
        for length in range(1, 6):
            add_log(
                actor=owner,
                consignment=load,
                length=Decimal(length),
                breadth=Decimal(30 + number),
                height=Decimal("0.5"),
            )

    outcomes = at_once(6, add)
    assert outcomes == [None] * 6
    load.refresh_from_db()
    volumes = list(Log.unscoped.values_list("volume", flat=True))
    assert load.log_count == len(volumes) == 30
    assert load.volume == sum(volumes)
    barcodes = set(Log.unscoped.values_list("barcode", flat=True))
    assert barcodes == {f"TB-{owner.client_id}-{number}" for number in range(1, 31)}
    sequences = list(OutboxEvent.objects.order_by("id").values_list("sequence", flat=True))
    assert sequences == list(range(1, 31))


def test_seats_are_not_overbooked(owner: User) -> None:
    assert owner.client is not None
    Subscription.objects.filter(client=owner.client).update(seats=3)
    role = Role.unscoped.get(client=None, name="viewer")

    def add(number: int) -> User:
        client = owner.client
        assert client is not None
        return add_user(
            actor=owner, client=client, username=f"gate-{number}", name="Gate", role=role
        )

    assert kinds(at_once(6, add)) == {User: 2, SeatsTaken: 4}
    assert User.unscoped.filter(client=owner.client, is_active=True).count() == 3


def test_the_last_seat_is_taken_once_by_any_call(
    owner: User, staff: User, make_user: MakeUser
) -> None:
    asleep = make_user(role="viewer", is_active=False)
    Subscription.objects.filter(client=owner.client).update(seats=2)
    new = {"name": "New", "role": "viewer"}

    def ask(number: int) -> int:
        api_client, staffs = api_client_of(owner), api_client_of(staff)
        asks = (
            lambda: api_client.put("/timba/user", {**new, "username": "one"}),
            lambda: api_client.post("/api/users/", {**new, "username": "two"}),
            lambda: api_client.patch(f"/api/users/{asleep.pk}/", {"is_active": True}),
            lambda: staffs.patch(f"/api/clients/{owner.client_id}/subscription/", {"seats": 1}),
        )
        return asks[number]().status_code

    *takers, resizer = at_once(4, ask)
    seats = Subscription.objects.get(client=owner.client).seats
    active = User.unscoped.filter(client=owner.client, is_active=True).count()
    if resizer == 200:
        assert (seats, active, takers) == (1, 1, [402] * 3)
    else:
        assert (resizer, seats, active) == (409, 2, 2)
        [taken] = [number for number, status in enumerate(takers) if status != 402]
        assert takers[taken] == (201, 201, 200)[taken]


def test_one_owner_remains_under_concurrent_removals(owner: User, make_user: MakeUser) -> None:
    owners = [owner, *(make_user() for _ in range(3))]
    # Made before the race: each of them asks as the owner that it still is.
    api_clients = [api_client_of(user) for user in owners]
    writers = threading.Barrier(4)

    def wait_for_others(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(("UPDATE", "DELETE")) and User._meta.db_table in sql:
            # Nobody comes if one transaction at a time may check the owners and write.
            with suppress(threading.BrokenBarrierError):
                writers.wait(1)
        return execute(sql, *args)

    def remove_the_next(number: int) -> int:
        api_client, other = api_clients[number], owners[(number + 1) % 4].pk
        asks = (
            lambda: api_client.delete(f"/api/users/{other}/"),
            lambda: api_client.patch(f"/api/users/{other}/", {"role": "viewer"}),
            lambda: api_client.patch("/timba/user", {"id": other, "is_active": False}),
            lambda: api_client.delete(f"/timba/user?id={other}"),
        )
        with connection.execute_wrapper(wait_for_others):
            return asks[number]().status_code

    statuses = at_once(4, remove_the_next)
    assert [outcome for outcome in statuses if isinstance(outcome, Exception)] == []
    removed = sum(a == b for a, b in zip(statuses, (204, 200, 200, 200), strict=True))
    left = User.unscoped.filter(client=owner.client, is_active=True, role__name="owner")
    assert left.count() == 4 - removed
    assert 1 <= removed <= 3


def test_a_role_is_either_granted_or_deleted(owner: User) -> None:
    role = Role.unscoped.create(client=owner.client, name="gate")
    new = {"name": "New", "username": "new", "role": role.pk}

    def ask(number: int) -> int:
        api_client = api_client_of(owner)
        if number:
            return api_client.delete(f"/api/roles/{role.pk}/").status_code
        return api_client.post("/api/users/", new).status_code

    statuses = at_once(2, ask)
    granted = User.unscoped.filter(username="new").exists()
    assert statuses == ([201, 409] if granted else [404, 204])
    assert Role.unscoped.filter(pk=role.pk).exists() is granted


def test_one_of_many_concurrent_writers_gets_a_name(owner: User) -> None:
    def add(number: int) -> User:
        assert owner.client is not None
        role = Role.unscoped.get(client=None, name="viewer")
        return add_user(
            actor=owner, client=owner.client, username="anna", name=f"Anna {number}", role=role
        )

    assert kinds(at_once(6, add)) == {User: 1, Conflict: 5}


def test_one_of_many_concurrent_refreshes_succeeds(owner: User) -> None:
    refresh = issue_tokens(user=owner).refresh
    outcomes = at_once(6, lambda _: rotate_tokens(refresh=refresh))
    assert kinds(outcomes) == {TokenPair: 1, NotSignedIn: 5}


def test_concurrent_wrong_guesses_are_rejected_and_counted(owner: User) -> None:
    def guess(number: int) -> int:
        credentials = {"username": owner.username, "password": f"{PASSWORD}-{number}"}
        return APIClient().post("/api/token/", credentials).status_code

    # As many as one address may have in work, which every guess needs a place for.
    assert sorted(at_once(6, guess)) == [401, 401, 401, 401, 401, 429]
    credentials = {"username": owner.username, "password": PASSWORD}
    assert APIClient().post("/api/token/", credentials).status_code == 429
