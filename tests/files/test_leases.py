"""A file has one worker at a time: a live one keeps its lease, a lost one cannot write."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive
from tests.files.runs import expire_lease
from tests.journeys.processes import wait_until
from timba.files import processing
from timba.files.leases import Run, claim, heartbeat
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.processors.base import Processor, Superseded
from timba.files.scheduling import next_waiting
from timba.files.storage import store


@pytest.mark.django_db
def test_a_file_is_claimed_once(receive: Receive) -> None:
    file = receive()
    before = timezone.now()
    first = claim(file.pk)
    assert first is not None
    assert (first.fencing_token, first.attempts) == (1, 1)
    assert first.lease_until > before + timedelta(seconds=29)
    assert first.lease_until < timezone.now() + timedelta(seconds=31)
    assert claim(file.pk) is None
    assert next_waiting() is None


@pytest.mark.django_db
def test_a_file_with_an_expired_lease_is_claimed_again_with_a_higher_token(
    receive: Receive,
) -> None:
    file = receive()
    claim(file.pk)
    expire_lease(file)
    second = claim(file.pk)
    assert second is not None
    assert (second.fencing_token, second.attempts) == (2, 2)


@pytest.mark.django_db
def test_the_file_that_has_waited_longest_is_next(receive: Receive) -> None:
    files = [receive() for _ in range(3)]
    now = timezone.now()
    for file, seconds in zip(files, (2, 3, 1), strict=True):
        File.unscoped.filter(pk=file.pk).update(uploaded_at=now - timedelta(seconds=seconds))
    seen = []
    while (file_id := next_waiting()) is not None:
        seen.append(file_id)
        process_file(file_id)
    assert seen == [files[1].pk, files[0].pk, files[2].pk]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_only_waits_keeps_its_file(
    receive: Receive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_LEASE_SECONDS = 2

    def wait_for_a_store(job: Run) -> dict[str, Any]:
        """Make no progress until the first lease is over."""
        first = File.unscoped.get().lease_until
        wait_until(
            lambda: File.unscoped.get().lease_until > first + timedelta(seconds=2),
            seconds=60,
            what="the lease was renewed beyond its first end",
        )
        return {"run": job.run}

    waiting = Processor(kind="text", read=wait_for_a_store, sandboxed=False)
    monkeypatch.setattr(processing, "processors", lambda: {"text": waiting})
    assert process_file(receive().pk)
    file = File.unscoped.get()
    assert (file.status, file.attempts, file.lease_until) == ("SUCCESS", 1, None)


@pytest.mark.django_db
def test_a_heartbeat_renews_only_its_own_lease_and_the_run_ends_at_its_next_progress(
    receive: Receive,
) -> None:
    file = claim(receive().pk)
    assert file is not None
    run = Run(file=file)
    run.progress(0.1)
    File.unscoped.update(fencing_token=file.fencing_token + 1, lease_until=None)
    run.renew()
    assert File.unscoped.get().lease_until is None
    with pytest.raises(Superseded):
        run.progress(0.2)


def test_a_heartbeat_continues_during_a_database_outage_and_stops_with_the_block() -> None:
    beats = threading.Semaphore(0)

    def renew() -> None:
        beats.release()
        raise OperationalError("down")

    with heartbeat(renew, seconds=0.01):
        for _ in range(3):
            assert beats.acquire(timeout=60)
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


@pytest.mark.django_db
def test_a_derivative_has_the_size_and_the_hash_of_its_object(settle: Receive) -> None:
    file = settle("7,21.5,2026-01-01T00:00:00Z\n7,warm\n", name="yard.csv")
    derivatives = list(file.derivatives.all())
    assert {derivative.role for derivative in derivatives} == {"readings", "rejects"}
    for derivative in derivatives:
        with store().open_bytes(derivative.storage_key) as stream:
            content = stream.read()
        assert derivative.size == len(content)
        assert derivative.sha256 == hashlib.sha256(content).hexdigest()
