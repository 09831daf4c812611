"""The sweep cleans up after crashes, keeps what is in use, and replaces lost notifications."""

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
from tests.files.conftest import FinishUpload, Objects, Receive
from tests.files.runs import claimed, expire_lease, let_an_hour_pass
from timba.accounts.models import User
from timba.files import processing, sweeping
from timba.files.leases import MAX_ATTEMPTS, Run, claim
from timba.files.models import Derivative, File
from timba.files.processing import LOST
from timba.files.processors.base import FAST
from timba.files.receiving import touch_uploads
from timba.files.services import delete_file, retry_file
from timba.files.storage import LocalStorage, StorageUnavailable, store
from timba.files.sweeping import claim_unnotified, sweep_files
from timba.temperatures.models import CityTotals

pytestmark = pytest.mark.django_db

Requested = list[str]

READINGS = "7,21.5,2026-01-01T00:00:00Z\n7,nonsense,2026-01-01T00:00:00Z\n"


def test_files_and_objects_in_use_are_kept(
    finish_upload: FinishUpload, receive: Receive, settle: Receive, objects: Objects
) -> None:
    finish_upload()
    receive("one\n")
    claim(receive("two\n").pk)
    settle(READINGS, name="a.csv")
    settle("7,nonsense\n", name="b.csv", kind="temperatures")
    rows, before = list(File.unscoped.order_by("pk").values()), objects()
    sweep_files()
    assert list(File.unscoped.order_by("pk").values()) == rows
    assert objects() == before


def test_an_abandoned_upload_is_deleted_after_an_hour(
    finish_upload: FinishUpload, objects: Objects
) -> None:
    row = finish_upload().row
    for minutes, is_there in ((59, True), (61, False)):
        touched_at = timezone.now() - timedelta(minutes=minutes)
        File.unscoped.filter(pk=row.pk).update(touched_at=touched_at)
        sweep_files()
        assert File.unscoped.exists() is is_there
        assert bool(objects()) is is_there


def test_an_upload_that_a_sweeper_had_marked_when_it_was_killed_is_deleted(
    finish_upload: FinishUpload, objects: Objects
) -> None:
    File.unscoped.filter(pk=finish_upload().row.pk).update(deleted_at=timezone.now())
    let_an_hour_pass()
    sweep_files()
    assert not File.unscoped.exists()
    assert objects() == set()


def test_an_upload_that_continued_at_the_last_moment_is_kept(
    finish_upload: FinishUpload,
) -> None:
    row = finish_upload().row
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


def test_objects_of_a_lost_run_are_deleted_and_those_of_the_next_are_kept(
    receive: Receive, settle: Receive, objects: Objects
) -> None:
    file = receive(READINGS, name="a.csv")
    lost = claimed(file)
    unfinished = lost.derive(Derivative.Role.REJECTS)
    with lost.derive(Derivative.Role.READINGS) as finished:
        finished.write(b"all of it")
    expire_lease(file)
    current = claimed(file)
    current.derive(Derivative.Role.REJECTS).commit()
    sweep_files()
    assert Derivative.objects.count() == 3  # requests of the lost worker may still arrive
    let_an_hour_pass()
    sweep_files()
    assert [derivative.run for derivative in Derivative.objects.all()] == [2]
    [derivative] = Derivative.objects.all()
    assert objects() == {file.storage_key, derivative.storage_key}
    with pytest.raises(FileNotFoundError):
        unfinished.commit()
    unfinished.abort()


def test_rows_that_a_lost_run_staged_are_deleted(receive: Receive) -> None:
    file = receive(READINGS, name="a.csv")
    processing._read(claimed(file))
    assert CityTotals.unscoped.get().run == 1
    expire_lease(file)
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
    claimed(file).derive(Derivative.Role.REJECTS).commit()
    let_an_hour_pass()
    sweep_files()
    assert len(objects()) == len(before) + 1


def test_a_row_that_cannot_be_swept_does_not_keep_the_others(
    finish_upload: FinishUpload, objects: Objects, store_folder: Path
) -> None:
    stuck, other = finish_upload().row, finish_upload().row
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
def requested(
    finish_upload: FinishUpload, receive: Receive, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> Requested:
    """Return the keys that are requested of a failing store, with work for every step."""
    lost, deleted = receive(), settle(READINGS, name="a.csv")
    for _ in range(MAX_ATTEMPTS):
        claim(lost.pk)
        expire_lease(lost)
    Run(file=claim(receive("two\n").pk)).derive(Derivative.Role.REJECTS).commit()
    Derivative.objects.filter(is_current=False).update(run=99)
    for _ in range(3):
        finish_upload()
    long_ago = timezone.now() - timedelta(days=400)
    let_an_hour_pass()
    File.unscoped.filter(pk=deleted.pk).update(deleted_at=long_ago)
    requested: Requested = []

    def refuse(_: LocalStorage, name: str) -> None:
        requested.append(name)
        raise StorageUnavailable

    monkeypatch.setattr(LocalStorage, "delete", refuse)
    monkeypatch.setattr(LocalStorage, "purge", refuse)
    return requested


def test_an_unavailable_store_is_requested_once_and_steps_without_it_are_done(
    requested: Requested, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: LocalStorage) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(LocalStorage, "check", unavailable)
    sweep_files()
    assert len(requested) == 1
    assert File.unscoped.get(status="FAILURE").error == LOST


def test_objects_that_a_store_refuses_do_not_keep_the_others(requested: Requested) -> None:
    sweep_files()
    assert len(requested) == 5


def test_a_sweep_that_is_stopped_ends_before_the_next_file(
    finish_upload: FinishUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        finish_upload()
    File.unscoped.update(touched_at=timezone.now() - timedelta(hours=2))
    stopping = threading.Event()
    purge = LocalStorage.purge

    def purge_and_stop(self: LocalStorage, name: str) -> None:
        stopping.set()
        purge(self, name)

    monkeypatch.setattr(LocalStorage, "purge", purge_and_stop)
    sweep_files(stopping=stopping)
    assert File.unscoped.count() == 2


def test_a_sweep_takes_a_limited_batch(
    finish_upload: FinishUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        finish_upload()
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
    expire_lease(file)


def _leave_orphaned_derivative(file: File) -> None:
    _leave(file, status="FAILURE", queue="")
    Derivative.objects.create(file=file, run=1, role="rejects", storage_key=file.storage_key)


@pytest.mark.parametrize(
    ("leave", "step"),
    [
        (lambda _: None, "_delete_upload"),
        (_lose, "_fail_lost_file"),
        (_leave_orphaned_derivative, "_delete_derivative"),
        (_put_into_trash, "_delete_file"),
    ],
    ids=["upload", "lost file", "orphaned derivative", "trash"],
)
def test_rows_that_always_fail_do_not_starve_the_others(
    finish_upload: FinishUpload,
    monkeypatch: pytest.MonkeyPatch,
    leave: Callable[[File], None],
    step: str,
) -> None:
    monkeypatch.setattr(sweeping, "_BATCH", 3)
    tried: list[uuid.UUID] = []

    def fail(row: File | Derivative) -> None:
        tried.append(getattr(row, "file_id", row.pk))
        raise ZeroDivisionError

    rows = [finish_upload().row for _ in range(5)]
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


def test_a_sweep_with_nothing_to_do_makes_eight_queries(
    django_assert_num_queries: object, settle: Receive, settings: Settings
) -> None:
    settle()
    settings.PURGES = []
    with django_assert_num_queries(8):
        sweep_files()


# --- Notifications -------------------------------------------------------------------------------


@pytest.fixture
def waiting(receive: Receive) -> list[uuid.UUID]:
    """Return the ids of ten waiting files, oldest first, notified a minute ago."""
    file_ids = [receive().pk for _ in range(10)]
    now = timezone.now()
    for number, file_id in enumerate(file_ids):
        File.unscoped.filter(pk=file_id).update(
            uploaded_at=now - timedelta(hours=1, seconds=-number),
            notified_at=now - timedelta(minutes=1),
        )
    return file_ids


def test_every_file_is_claimed_when_all_notifications_are_lost(waiting: list[uuid.UUID]) -> None:
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting
    assert claim_unnotified(queue=FAST, queued_messages=0) == []


def test_only_as_many_files_are_claimed_as_messages_are_missing(waiting: list[uuid.UUID]) -> None:
    assert claim_unnotified(queue=FAST, queued_messages=10) == []
    assert claim_unnotified(queue=FAST, queued_messages=25) == []
    assert claim_unnotified(queue=FAST, queued_messages=7) == waiting[:3]


def test_a_file_that_was_notified_just_now_is_not_claimed(waiting: list[uuid.UUID]) -> None:
    File.unscoped.filter(pk=waiting[0]).update(notified_at=timezone.now())
    File.unscoped.filter(pk=waiting[1]).update(notified_at=None)
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[1:]


def test_a_file_that_is_being_processed_is_not_claimed(waiting: list[uuid.UUID]) -> None:
    claim(waiting[0])
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[1:]


def test_the_number_of_claimed_files_is_limited(
    waiting: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_MAX_NOTIFICATIONS", 4)
    assert claim_unnotified(queue=FAST, queued_messages=0) == waiting[:4]


def test_an_orphaned_object_is_deleted_before_its_row(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweeper that is killed in between leaves a row that names the object."""
    file = receive(READINGS, name="a.csv")
    lost = claimed(file)
    lost.derive(Derivative.Role.REJECTS).commit()
    expire_lease(file)
    claim(file.pk)
    [derivative] = Derivative.objects.all()
    monkeypatch.setattr(Derivative, "delete", lambda _: 1 / 0)
    let_an_hour_pass()
    sweep_files()
    assert not store().exists(derivative.storage_key)
    assert Derivative.objects.exists()
