"""A run that was lost, stopped, refused or overtaken by a deletion leaves nothing behind."""

from __future__ import annotations

import errno
import os
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.files.conftest import Objects, Receive, UseReader
from tests.files.runs import claimed, event_types, expire_lease, let_a_second_pass, let_an_hour_pass
from timba.accounts.models import User
from timba.files import processing
from timba.files.leases import Run, waiting_files
from timba.files.models import Derivative, File
from timba.files.processing import (
    LOST,
    STORAGE_FAILED,
    process_file,
)
from timba.files.processors.base import ObjectWriter, Superseded
from timba.files.scheduling import next_waiting
from timba.files.services import delete_file, retry_file
from timba.files.storage import LocalStorage, store
from timba.files.sweeping import sweep_files
from timba.temperatures.models import CityTotals
from timba.temperatures.statistics.cities import city_statistics

pytestmark = pytest.mark.django_db


READINGS = "7,21.5,2026-01-01T00:00:00Z\n7,nonsense,2026-01-01T00:00:00Z\n"


# --- Lost workers --------------------------------------------------------------------------------


def test_a_worker_that_resumes_after_its_lease_expired_writes_nothing(
    receive: Receive, owner: User, objects: Objects
) -> None:
    file = receive(READINGS, name="a.csv")
    stale_run = claimed(file)
    expire_lease(file)
    assert process_file(file.pk)
    settled = File.unscoped.filter(pk=file.pk).values().get()
    totals = list(CityTotals.unscoped.values())
    before = objects()
    let_a_second_pass(stale_run)
    with pytest.raises(Superseded):
        stale_run.progress(0.5)
    with pytest.raises(Superseded), stale_run.writing():
        pytest.fail("a lost worker has written")
    with pytest.raises(Superseded):
        stale_run.derive(Derivative.Role.REJECTS)
    with pytest.raises(Superseded):
        processing._process(stale_run)
    assert File.unscoped.filter(pk=file.pk).values().get() == settled
    assert list(CityTotals.unscoped.values()) == totals
    assert objects() == before
    assert event_types(file) == ["created", "succeeded"]


def test_a_worker_that_resumes_while_another_is_processing_writes_nothing(
    receive: Receive, use_reader: UseReader
) -> None:
    """It is superseded when it settles, at the latest."""
    file = receive()

    def read_slowly(job: Run) -> dict[str, Any]:
        if job.run == 1:
            expire_lease(file)
            assert process_file(file.pk)
        return {"read_by": job.run}

    use_reader(read_slowly)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.run, file.result["read_by"]) == ("SUCCESS", 2, 2)
    assert event_types(file) == ["created", "succeeded"]


def test_progress_renews_the_lease_and_is_written_once_a_second(
    receive: Receive, settings: Settings
) -> None:
    settings.TIMBA_LEASE_SECONDS = 600
    run = claimed(receive())

    def report(fraction: float, rows: int | None) -> tuple[float, int | None, int]:
        with CaptureQueriesContext(connection) as queries:
            run.progress(fraction, rows=rows)
        file = File.unscoped.get(pk=run.file_id)
        return file.progress, file.rows_read, len(queries)

    expire_lease(run.file)
    assert report(0.1, 10) == (0.0, None, 0)
    let_a_second_pass(run)
    assert report(0.25, 25) == (0.25, 25, 1)
    file = File.unscoped.get(pk=run.file_id)
    assert file.lease_until > timezone.now() + timedelta(seconds=500)
    assert report(0.5, 50) == (0.25, 25, 0)
    let_a_second_pass(run)
    assert report(7.0, None) == (1.0, 25, 1)
    expire_lease(file)
    claimed(file)
    file.refresh_from_db()
    assert (file.progress, file.rows_read) == (0.0, None)


def test_a_settled_file_counts_no_rows_beside_its_result(
    receive: Receive, use_reader: UseReader
) -> None:
    def read(job: Run) -> dict[str, Any]:
        let_a_second_pass(job)
        job.progress(0.5, rows=7)
        return {"rows": File.unscoped.get().rows_read}

    use_reader(read)
    assert process_file(receive().pk)
    file = File.unscoped.get()
    assert (file.progress, file.rows_read, file.result["rows"]) == (1.0, None, 7)


def test_three_lost_workers_are_a_failure(receive: Receive) -> None:
    file = receive()
    for _ in range(3):
        claimed(file)
        expire_lease(file)
    assert next_waiting() is None
    sweep_files()
    file.refresh_from_db()
    assert (file.status, file.error) == ("FAILURE", LOST)
    assert (file.run, file.lease_until, file.live_digest) == (None, None, None)
    assert event_types(file) == ["created", "failed"]


def test_a_third_worker_that_is_still_processing_keeps_the_file(receive: Receive) -> None:
    file = receive()
    for _ in range(2):
        claimed(file)
        expire_lease(file)
    third = claimed(file)
    sweep_files()
    third.progress(0.5)
    processing._process(third)
    assert File.unscoped.get(pk=file.pk).status == "SUCCESS"


def test_a_lost_worker_cannot_write_after_the_file_is_retried(
    receive: Receive, owner: User
) -> None:
    file = receive(READINGS, name="a.csv")
    for _ in range(3):
        stale_run = claimed(file)
        expire_lease(file)
    sweep_files()
    retry_file(actor=owner, file=file)
    with pytest.raises(Superseded):
        processing._process(stale_run)
    file.refresh_from_db()
    assert (file.status, file.attempts) == ("PENDING", 0)
    assert process_file(file.pk)
    result = city_statistics(client_id=file.owner_id, city_id=7)
    assert result is not None
    assert result.totals is not None
    assert result.totals.count == 1


def test_a_worker_that_is_stopped_releases_its_file(receive: Receive) -> None:
    file = receive("larch\n" * 1000)
    stopping = threading.Event()
    stopping.set()
    assert process_file(file.pk, stopping=stopping)
    file.refresh_from_db()
    assert (file.status, file.attempts, file.lease_until) == ("PENDING", 0, None)
    assert waiting_files().filter(pk=file.pk).exists()
    assert process_file(file.pk)
    file.refresh_from_db()
    assert file.status == "SUCCESS"


# --- Deletion during processing ------------------------------------------------------------------


def test_a_file_that_is_deleted_while_it_is_processed_stays_deleted(
    receive: Receive, use_reader: UseReader, owner: User
) -> None:
    file = receive()

    def read(_: Run) -> dict[str, Any]:
        delete_file(actor=owner, file=file)
        return {}

    use_reader(read)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.result) == ("PENDING", None)
    assert file.deleted_at is not None
    assert event_types(file) == ["created", "deleted"]


def test_readings_that_are_deleted_while_they_are_read_neither_count_nor_remain(
    receive: Receive, owner: User, objects: Objects, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 0
    file = receive(READINGS, name="a.csv")
    run = claimed(file)
    with run.derive(Derivative.Role.REJECTS) as writer:
        writer.write(b"line,reason,text\r\n")
    delete_file(actor=owner, file=file)
    with pytest.raises(Superseded):
        processing._process(run)
    assert city_statistics(client_id=file.owner_id, city_id=7) is None
    sweep_files()
    assert not File.unscoped.exists()
    assert not CityTotals.unscoped.exists()
    assert objects() == set()


def test_an_object_that_a_lost_run_commits_after_the_sweep_is_deleted(
    receive: Receive, use_reader: UseReader, objects: Objects
) -> None:
    """Some stores complete an object even after its first parts were deleted."""
    file = receive()

    def read_late(job: Run) -> dict[str, Any]:
        if job.run == 1:
            writer = job.derive(Derivative.Role.REJECTS)
            writer.commit()
            derivative = Derivative.objects.get()
            derivative.delete()
            expire_lease(file)
            assert process_file(file.pk)
        return {}

    use_reader(read_late)
    assert process_file(file.pk)
    assert objects() == {file.storage_key}


def test_an_object_whose_row_was_swept_before_it_was_opened_is_not_created(
    receive: Receive, owner: User, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(READINGS, name="a.csv")
    run = claimed(file)
    create = LocalStorage.create

    def create_late(storage: LocalStorage, key: str) -> ObjectWriter:
        delete_file(actor=owner, file=file)
        let_an_hour_pass()
        sweep_files()
        assert not Derivative.objects.exists()
        return create(storage, key)

    monkeypatch.setattr(LocalStorage, "create", create_late)
    with pytest.raises(Superseded):
        run.derive(Derivative.Role.REJECTS)
    assert objects() == {file.storage_key}


# --- Failed runs ---------------------------------------------------------------------------------


def test_a_run_that_failed_midway_shows_no_rejects_and_its_orphaned_objects_are_swept(
    receive: Receive, owner: User, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(READINGS, name="a.csv")

    def disk_fails(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_fails)
        process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error, file.run) == ("FAILURE", STORAGE_FAILED, None)
    assert Derivative.objects.exists()
    sweep_files()
    assert Derivative.objects.exists()
    let_an_hour_pass()
    sweep_files()
    assert not Derivative.objects.exists()
    assert objects() == {file.storage_key}


def test_a_run_that_was_refused_keeps_its_rejects(settle: Receive) -> None:
    file = settle("7,nonsense,2026-01-01\n", name="a.csv", kind="temperatures")
    assert (file.status, file.run) == ("FAILURE", 1)
    sweep_files()
    rejects = file.derivatives.get(role=Derivative.Role.REJECTS)
    assert store().exists(rejects.storage_key)
