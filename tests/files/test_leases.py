"""A worker that is alive keeps its file, whatever it waits for; one that is halted does not."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive
from tests.journeys.processes import wait_until
from timba.files import processing
from timba.files.leases import claim, heartbeat
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.processors.base import Processor, Superseded
from timba.files.runs import Run


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
def test_a_heartbeat_renews_no_lease_but_its_own_and_the_run_ends_at_its_next_word(
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


def test_a_heart_goes_on_beating_while_the_database_is_away_and_stops_with_the_work() -> None:
    beats = threading.Semaphore(0)

    def renew() -> None:
        beats.release()
        raise OperationalError("away")

    with heartbeat(renew, seconds=0.01):
        for _ in range(3):
            assert beats.acquire(timeout=60)
    assert not [one for one in threading.enumerate() if one.name == "heartbeat"]
