"""What crashes left is healed, what is alive is left alone, and only lost bells are rung again."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.factories import ClientFactory
from tests.files.conftest import Objects, Receive, Take, let_an_hour_pass, lose_worker
from timba.accounts.models import User
from timba.files import processing, sweeping
from timba.files.leases import MAX_ATTEMPTS, claim
from timba.files.models import Derivative, File
from timba.files.processing import LOST
from timba.files.processors.base import FAST
from timba.files.receiving import touch_uploads
from timba.files.runs import Run
from timba.files.services import delete_file, retry_file
from timba.files.storage import LocalStorage, StorageUnavailable, store
from timba.files.sweeping import claim_unnotified, sweep_files
from timba.temperatures.models import CityTotals

pytestmark = pytest.mark.django_db

Asked = list[str]

READINGS = "7,21.5,2026-01-01T00:00:00Z\n7,nonsense,2026-01-01T00:00:00Z\n"


def test_what_is_alive_is_left_alone(
    take: Take, receive: Receive, settle: Receive, objects: Objects
) -> None:
    take()
    receive("one\n")
    claim(receive("two\n").pk)
    settle(READINGS, name="a.csv")
    settle("7,nonsense\n", name="b.csv", kind="temperatures")
    rows, there = list(File.unscoped.order_by("pk").values()), objects()
    sweep_files()
    assert list(File.unscoped.order_by("pk").values()) == rows
    assert objects() == there


def test_an_abandoned_upload_is_removed_after_an_hour(take: Take, objects: Objects) -> None:
    row = take().row
    for minutes, is_there in ((59, True), (61, False)):
        touched_at = timezone.now() - timedelta(minutes=minutes)
        File.unscoped.filter(pk=row.pk).update(touched_at=touched_at)
        sweep_files()
        assert File.unscoped.exists() is is_there
        assert bool(objects()) is is_there


def test_an_upload_that_a_sweeper_had_given_up_when_it_died_is_removed(
    take: Take, objects: Objects
) -> None:
    File.unscoped.filter(pk=take().row.pk).update(deleted_at=timezone.now())
    let_an_hour_pass()
    sweep_files()
    assert not File.unscoped.exists()
    assert objects() == set()


def test_an_upload_that_went_on_at_the_last_moment_is_left_alone(take: Take) -> None:
    row = take().row
    File.unscoped.filter(pk=row.pk).update(touched_at=timezone.now() - timedelta(hours=2))
    row.refresh_from_db()
    touch_uploads([row.pk])
    sweeping._delete_upload(row)
    assert File.unscoped.get().deleted_at is None


def test_the_trash_is_emptied_after_its_days(
    settle: Receive, owner: User, objects: Objects, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 7
    file = settle(READINGS, name="a.csv")
    assert len(objects()) == 3
    delete_file(actor=owner, file=file)
    for days, is_there in ((6.9, True), (7.1, False)):
        deleted_at = timezone.now() - timedelta(days=days)
        File.unscoped.filter(pk=file.pk).update(deleted_at=deleted_at)
        sweep_files()
        assert File.unscoped.exists() is is_there
        assert bool(objects()) is is_there
    assert not Derivative.objects.exists()
    assert not CityTotals.unscoped.exists()


def test_what_a_lost_run_made_is_erased_and_what_the_next_made_is_kept(
    receive: Receive, settle: Receive, objects: Objects
) -> None:
    file = receive(READINGS, name="a.csv")
    dead = Run(file=claim(file.pk))
    unfinished = dead.derive(Derivative.Role.REJECTS)
    with dead.derive(Derivative.Role.READINGS) as finished:
        finished.write(b"all of it")
    lose_worker(file)
    alive = Run(file=claim(file.pk))
    alive.derive(Derivative.Role.REJECTS).commit()
    sweep_files()
    assert Derivative.objects.count() == 3  # the lost worker's last words may still arrive
    let_an_hour_pass()
    sweep_files()
    assert [derivative.run for derivative in Derivative.objects.all()] == [2]
    [derivative] = Derivative.objects.all()
    assert objects() == {file.storage_key, derivative.storage_key}
    with pytest.raises(FileNotFoundError):
        unfinished.commit()
    unfinished.abort()


def test_what_a_lost_run_staged_is_forgotten(receive: Receive) -> None:
    file = receive(READINGS, name="a.csv")
    processing._read(Run(file=claim(file.pk)))
    assert CityTotals.unscoped.get().run == 1
    lose_worker(file)
    processing.process_file(file.pk)
    assert CityTotals.unscoped.count() == 2
    let_an_hour_pass()
    sweep_files()
    assert CityTotals.unscoped.get().run == 2


def test_the_results_of_a_failure_are_kept_until_another_run_replaces_them(
    settle: Receive, owner: User, objects: Objects
) -> None:
    file = settle("7,nonsense\n", name="a.csv", kind="temperatures")
    before = objects()
    retry_file(actor=owner, file=file)
    let_an_hour_pass()
    sweep_files()
    assert objects() == before
    Run(file=claim(file.pk)).derive(Derivative.Role.REJECTS).commit()
    let_an_hour_pass()
    sweep_files()
    assert len(objects()) == len(before) + 1


def test_one_file_that_cannot_be_swept_does_not_save_the_others(
    take: Take, objects: Objects, store_folder: Path
) -> None:
    stuck, other = take().row, take().row
    File.unscoped.update(touched_at=timezone.now() - timedelta(hours=2))
    (store_folder / stuck.storage_key).unlink()
    (store_folder / stuck.storage_key).mkdir()
    sweep_files()
    assert [row.pk for row in File.unscoped.all()] == [stuck.pk]
    assert other.storage_key not in objects()
    (store_folder / stuck.storage_key).rmdir()
    sweep_files()
    assert not File.unscoped.exists()


@pytest.fixture
def asked(take: Take, receive: Receive, settle: Receive, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return what is asked of a store that is away or refuses: work waits in every step."""
    lost, deleted = receive(), settle(READINGS, name="a.csv")
    for _ in range(MAX_ATTEMPTS):
        claim(lost.pk)
        lose_worker(lost)
    Run(file=claim(receive("two\n").pk)).derive(Derivative.Role.REJECTS).commit()
    Derivative.objects.filter(is_current=False).update(run=99)
    for _ in range(3):
        take()
    long_ago = timezone.now() - timedelta(days=400)
    let_an_hour_pass()
    File.unscoped.filter(pk=deleted.pk).update(deleted_at=long_ago)
    asked: Asked = []

    def answer(_: LocalStorage, name: str) -> None:
        asked.append(name)
        raise StorageUnavailable

    monkeypatch.setattr(LocalStorage, "delete", answer)
    monkeypatch.setattr(LocalStorage, "purge", answer)
    return asked


def test_a_store_that_is_away_is_asked_once_and_what_needs_none_is_done(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: LocalStorage) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(LocalStorage, "check", away)
    sweep_files()
    assert len(asked) == 1
    assert File.unscoped.get(status="FAILURE").error == LOST


def test_what_a_store_refuses_alone_does_not_save_the_others(asked: Asked) -> None:
    sweep_files()
    assert len(asked) == 5


def test_a_sweep_that_is_stopped_ends_before_the_next_file(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        take()
    File.unscoped.update(touched_at=timezone.now() - timedelta(hours=2))
    stopping = threading.Event()
    purge = LocalStorage.purge

    def purge_and_stop(self: LocalStorage, name: str) -> None:
        stopping.set()
        purge(self, name)

    monkeypatch.setattr(LocalStorage, "purge", purge_and_stop)
    sweep_files(stopping=stopping)
    assert File.unscoped.count() == 2


def test_a_sweep_takes_no_more_than_so_many_at_once(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        take()
    File.unscoped.update(touched_at=timezone.now() - timedelta(hours=2))
    monkeypatch.setattr(sweeping, "_BATCH", 3)
    for left in (2, 0):
        sweep_files()
        assert File.unscoped.count() == left


def _leave(file: File, **fields: Any) -> None:
    File.unscoped.filter(pk=file.pk).update(client=ClientFactory(), **fields)


def _put_into_trash(file: File) -> None:
    _leave(file, status="FAILURE", queue="", deleted_at=timezone.now() - timedelta(days=400))


def _lose(file: File) -> None:
    _leave(file, status="PENDING", attempts=MAX_ATTEMPTS)
    lose_worker(file)


def _leave_a_dead_run(file: File) -> None:
    _leave(file, status="FAILURE", queue="")
    Derivative.objects.create(file=file, run=1, role="rejects", storage_key=file.storage_key)


@pytest.mark.parametrize(
    ("leave", "step"),
    [
        (lambda _: None, "_delete_upload"),
        (_lose, "_fail_lost_file"),
        (_leave_a_dead_run, "_delete_derivative"),
        (_put_into_trash, "_delete_file"),
    ],
    ids=["upload", "lost file", "dead run", "trash"],
)
def test_what_always_fails_keeps_nothing_else_waiting(
    take: Take, monkeypatch: pytest.MonkeyPatch, leave: Callable[[File], None], step: str
) -> None:
    monkeypatch.setattr(sweeping, "_BATCH", 3)
    tried: list[uuid.UUID] = []

    def fail(what: File | Derivative) -> None:
        tried.append(getattr(what, "file_id", what.pk))
        raise ZeroDivisionError

    rows = [take().row for _ in range(5)]
    for number, row in enumerate(rows):
        leave(row)
        age = timedelta(hours=2, seconds=-number)
        for field in ("touched_at", "lease_until", "deleted_at"):
            File.unscoped.filter(pk=row.pk, **{f"{field}__isnull": False}).update(
                **{field: F(field) - age}
            )
        Derivative.objects.filter(file=row).update(created_at=F("created_at") - age)
    fail.__name__ = step
    monkeypatch.setattr(sweeping, step, fail)
    for _ in range(3):
        sweep_files()
    first = [row.pk for row in rows]
    assert tried == [*first, first[0], *first[1:4]]


def test_a_sweep_with_nothing_to_do_asks_the_database_eight_times_for_files(
    django_assert_num_queries: object, settle: Receive, settings: Settings
) -> None:
    settle()
    settings.PURGES = []
    with django_assert_num_queries(8):
        sweep_files()


# --- Bells ---------------------------------------------------------------------------------------


@pytest.fixture
def waiting(receive: Receive) -> list[uuid.UUID]:
    """Return the ids of ten files, oldest first, which were rung for a minute ago."""
    file_ids = [receive().pk for _ in range(10)]
    now = timezone.now()
    for number, file_id in enumerate(file_ids):
        File.unscoped.filter(pk=file_id).update(
            uploaded_at=now - timedelta(hours=1, seconds=-number),
            notified_at=now - timedelta(minutes=1),
        )
    return file_ids


def test_every_file_is_rung_for_again_when_all_bells_are_lost(waiting: list[uuid.UUID]) -> None:
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting
    assert claim_unnotified(queue=FAST, queued_messages=0) == []


def test_only_as_many_bells_are_rung_as_are_lost(waiting: list[uuid.UUID]) -> None:
    assert claim_unnotified(queue=FAST, queued_messages=10) == []
    assert claim_unnotified(queue=FAST, queued_messages=25) == []
    assert claim_unnotified(queue=FAST, queued_messages=7) == waiting[:3]


def test_a_file_that_was_rung_for_just_now_is_not_rung_for_again(waiting: list[uuid.UUID]) -> None:
    File.unscoped.filter(pk=waiting[0]).update(notified_at=timezone.now())
    File.unscoped.filter(pk=waiting[1]).update(notified_at=None)
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[1:]


def test_what_is_being_processed_is_not_rung_for(waiting: list[uuid.UUID]) -> None:
    claim(waiting[0])
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[1:]


def test_no_more_bells_are_rung_at_once_than_so_many(
    waiting: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_MAX_NOTIFICATIONS", 4)
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[:4]


def test_an_object_of_a_dead_run_is_erased_before_its_row(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is killed in between, the row still names its debris."""
    file = receive(READINGS, name="a.csv")
    dead = Run(file=claim(file.pk))
    dead.derive(Derivative.Role.REJECTS).commit()
    lose_worker(file)
    claim(file.pk)
    [derivative] = Derivative.objects.all()
    monkeypatch.setattr(Derivative, "delete", lambda _: 1 / 0)
    let_an_hour_pass()
    sweep_files()
    assert not store().exists(derivative.storage_key)
    assert Derivative.objects.exists()
