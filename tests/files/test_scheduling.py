"""Clients are served in turn, small files first, and no client occupies all slots."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from types import SimpleNamespace

import pytest
from pytest_django.fixtures import Settings

from tests.databases.test_indexes import indexed
from tests.factories import UserFactory
from tests.files.conftest import Receive
from timba.accounts.models import Client
from timba.files import tasks
from timba.files.models import File
from timba.files.processors.base import BULK, FAST
from timba.files.scheduling import Slots
from timba.files.services import delete_file
from timba.files.tasks import process

Send = Callable[..., File]


@pytest.fixture(autouse=True)
def _claims_outlast_the_test(settings: Settings) -> None:
    settings.TIMBA_LEASE_SECONDS = 3600


@pytest.fixture
def clients() -> list[Client]:
    return [UserFactory().client for _ in range(3)]


@pytest.fixture
def send(receive: Receive) -> Send:
    """Return a function that uploads one file of a client, small or large."""

    def send_file(client: Client, *, queue: str = FAST) -> File:
        file = receive()
        File.unscoped.filter(pk=file.pk).update(client=client, queue=queue)
        file.refresh_from_db()
        return file

    return send_file


def served(slots: Slots, *, slot: int = 0) -> list[File]:
    """Return the files that a slot claims, one after the other, until none is left."""
    claimed = []
    while (file := slots.claim(slot)) is not None:
        claimed.append(file)
        slots.free(slot)
    return claimed


@pytest.mark.django_db
def test_clients_are_served_in_turn(clients: list[Client], send: Send) -> None:
    many, two, one = clients
    for client in (many, many, many, many, two, two, one):
        send(client)
    assert [file.client for file in served(Slots(3))] == [many, two, one, many, two, many, many]


@pytest.mark.django_db
def test_of_one_client_small_files_come_first_and_the_oldest_of_them(
    clients: list[Client], send: Send
) -> None:
    large, first, second = (send(clients[0], queue=queue) for queue in (BULK, FAST, FAST))
    assert served(Slots(3)) == [first, second, large]


@pytest.mark.django_db
def test_large_files_leave_slots_for_small_ones(clients: list[Client], send: Send) -> None:
    for _ in range(2):
        send(clients[0], queue=BULK)
    slots = Slots(3, bulk=1)
    assert slots.claim(0) is not None
    assert slots.claim(1) is None
    small = send(clients[0])
    assert slots.claim(1) == small
    slots.free(0)
    assert slots.claim(0).queue == BULK


@pytest.mark.django_db
def test_the_last_free_slot_is_reserved_for_another_client(
    clients: list[Client], send: Send
) -> None:
    many, other, _ = clients
    for _ in range(4):
        send(many)
    slots = Slots(3)
    assert [slots.claim(slot).client for slot in (0, 1)] == [many, many]
    assert slots.claim(2) is None
    send(other, queue=BULK)
    assert slots.claim(2) is None
    theirs = send(other)
    assert slots.claim(2) == theirs
    slots.free(1)
    assert slots.claim(1) is None
    slots.free(2)
    assert slots.claim(1).client == many


@pytest.mark.django_db
def test_twenty_slow_files_of_one_client_delay_no_file_of_another(
    clients: list[Client], send: Send
) -> None:
    many, other, _ = clients
    slow = [send(many) for _ in range(20)]
    slots = Slots(3, bulk=1)
    assert [slots.claim(slot) for slot in (0, 1)] == slow[:2]
    for number in (2, 3):
        for file in (send(other), send(other)):
            assert slots.claim(2) == file
            slots.free(2)
        assert slots.claim(2) is None
        slots.free(0)
        assert slots.claim(0) == slow[number]


@pytest.mark.django_db
def test_a_worker_with_one_slot_takes_everything(clients: list[Client], send: Send) -> None:
    for queue in (BULK, FAST):
        send(clients[0], queue=queue)
    assert len(served(Slots(1))) == 2


@pytest.mark.django_db
def test_waiting_files_are_found_by_an_index_that_holds_no_others(
    settle: Receive, receive: Receive, send: Send, clients: list[Client]
) -> None:
    settle()
    delete_file(actor=receive().uploaded_by, file=receive())
    waiting = send(clients[0], queue=BULK)
    assert set(File.unscoped.values_list("status", "deleted_at", "queue")) >= {
        ("SUCCESS", None, "")
    }
    assert [file.pk for file in File.unscoped.filter(queue=BULK)] == [waiting.pk]
    assert not File.unscoped.filter(deleted_at__isnull=False).exclude(queue="").exists()
    assert ["queue", "client_id", "uploaded_at"] in indexed(File)


# --- With Celery ---------------------------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slots]:
    """Return the slots of a Celery worker of two child processes."""
    monkeypatch.setattr(tasks, "_worker", tasks._Worker(Slots(1)))
    tasks.share_slots(instance=SimpleNamespace(concurrency=2))
    yield tasks._worker.slots
    tasks._worker.slots._lock._file.close()


@pytest.mark.django_db
def test_a_message_processes_the_next_file_and_sends_another_message(
    clients: list[Client], send: Send, shared: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    notified: list[object] = []
    monkeypatch.setattr(tasks, "notify_workers", notified.extend)
    many, other, _ = clients
    files = [send(many), send(many), send(other)]
    for _ in files:
        process(str(files[1].pk))
    settled = File.unscoped.filter(status="SUCCESS").order_by("processed_at")
    assert list(settled) == [files[0], files[2], files[1]]
    assert notified == [files[1].pk, files[1].pk]


@pytest.mark.django_db
def test_child_processes_share_their_slots(
    clients: list[Client], send: Send, shared: Slots
) -> None:
    many, other, _ = clients
    child = get_context("fork").Process(target=_hold, args=[shared, 0, many.pk])
    child.start()
    child.join(60)
    send(many)
    assert shared.claim(1) is None
    theirs = send(other)
    assert shared.claim(1) == theirs


def _hold(slots: Slots, slot: int, client_id: int) -> None:
    slots._memory[slot + 1] = client_id


@pytest.mark.django_db
def test_a_child_process_that_is_killed_blocks_no_other(
    clients: list[Client], send: Send, shared: Slots
) -> None:
    held = get_context("fork").Event()
    child = get_context("fork").Process(target=_hold_for_ever, args=[shared, clients[0].pk, held])
    child.start()
    assert held.wait(60)
    child.kill()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    # Celery starts another process in its place.
    tasks.free_slot()
    file = send(clients[0])
    assert shared.claim(1) == file


def _hold_for_ever(slots: Slots, client_id: int, held: Event) -> None:
    with slots._lock:
        slots._memory[1] = client_id
        held.set()
        signal.pause()
