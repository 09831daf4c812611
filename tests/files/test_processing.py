"""A file has one outcome, however many messages arrive for it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.files.conftest import Receive, UseReader
from tests.files.runs import event_types
from tests.threads import at_once
from timba.accounts.models import User
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, File
from timba.files.processing import (
    DAMAGED,
    MISSING,
    OUT_OF_MEMORY,
    STORAGE_FAILED,
    UNEXPECTED,
    process_file,
)
from timba.files.processors.base import FileRefused
from timba.files.scheduling import next_waiting
from timba.files.storage import store
from timba.files.tasks import process
from timba.temperatures.models import CityTotals
from timba.temperatures.statistics.cities import city_statistics

pytestmark = pytest.mark.django_db

READINGS = "7,21.5,2026-01-01T00:00:00Z\n7,nonsense,2026-01-01T00:00:00Z\n"
Read = Callable[[Any], dict[str, Any]]


# --- The outcome ---------------------------------------------------------------------------------


def test_a_processed_file_has_its_result_and_its_event(settle: Receive) -> None:
    file = settle("larch\n", name="note.txt")
    assert (file.status, file.error, file.progress) == ("SUCCESS", "", 1.0)
    assert (file.fencing_token, file.run, file.attempts, file.lease_until) == (1, 1, 1, None)
    assert file.uploaded_at < file.processed_at <= timezone.now()
    result = dict(file.result)
    assert 0 <= result.pop("execution_time") < 10
    assert result == {
        "id": str(file.pk),
        "name": "note.txt",
        "random_number": file.random_number,
        "encoding": "utf-8",
        "lines": 1,
        "words": 1,
        "chars": 6,
        "preview": "larch\n",
    }
    assert event_types(file) == ["created", "succeeded"]


def test_the_events_and_the_work_carry_the_id_of_the_request(
    receive: Receive, use_reader: UseReader
) -> None:
    file = receive()
    File.unscoped.filter(pk=file.pk).update(request_id="request-7")
    process_file(file.pk)
    event = OutboxEvent.objects.get(key=str(file.pk), type="timba.file.succeeded")
    assert event.request_id == "request-7"


def raising(error: BaseException) -> Read:
    def read(_: Any) -> dict[str, Any]:
        raise error

    return read


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileRefused("It is all bark."), "It is all bark."),
        (FileRefused("It\0 is\ud800 all bark."), "It\ufffd is\ufffd all bark."),
        (FileRefused("bark " * 1000), ("bark " * 1000)[:1000]),
        (MemoryError(), OUT_OF_MEMORY),
        (RecursionError(), UNEXPECTED),
        (SystemExit(1), UNEXPECTED),
        (ZeroDivisionError(), UNEXPECTED),
        (OSError(errno.EIO, "input/output error"), STORAGE_FAILED),
        (FileNotFoundError(), MISSING),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_file_fails_with_a_sentence_whatever_its_reader_raises(
    settle: Receive, use_reader: UseReader, error: BaseException, sentence: str
) -> None:
    use_reader(raising(error))
    file = settle()
    assert (file.status, file.error, file.result) == ("FAILURE", sentence, None)
    assert file.processed_at is not None
    assert event_types(file) == ["created", "failed"]


def test_a_refused_file_may_have_findings(settle: Receive, use_reader: UseReader) -> None:
    use_reader(raising(FileRefused("It is all bark.", findings={"bark": 7})))
    file = settle()
    assert (file.status, file.error) == ("FAILURE", "It is all bark.")
    assert list(file.result) == ["id", "name", "execution_time", "random_number", "bark"]


@pytest.mark.parametrize("findings", [{"deep": object()}, {"number": 2**70}, 7])
def test_findings_that_cannot_be_kept_are_a_failure(
    settle: Receive, use_reader: UseReader, findings: Any
) -> None:
    use_reader(lambda _: findings)
    file = settle()
    assert (file.status, file.error, file.result) == ("FAILURE", UNEXPECTED, None)
    assert event_types(file) == ["created", "failed"]


def test_findings_that_cannot_be_recorded_are_a_failure_and_record_nothing(
    settle: Receive, use_reader: UseReader
) -> None:
    def record(file: File, _: object) -> None:
        Derivative.objects.create(file=file, run=99, role="rejects", storage_key="x")
        raise ZeroDivisionError

    use_reader(lambda _: {}, record=record)
    file = settle()
    assert (file.status, file.error) == ("FAILURE", UNEXPECTED)
    assert not Derivative.objects.exists()


@pytest.mark.only_on("sqlite")
def test_a_kind_without_a_processor_is_a_failure(receive: Receive) -> None:
    file = receive()
    # As when a release removes a kind while one of its files waits.
    File.unscoped.filter(pk=file.pk).update(kind="scan")
    process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error) == ("FAILURE", UNEXPECTED)


@pytest.mark.only_on("sqlite")
def test_bytes_that_changed_in_the_store_are_a_failure(
    receive: Receive, store_folder: Path
) -> None:
    for content, name, kind in (("larch\n", "a.txt", "text"), (READINGS, "a.csv", "temperatures")):
        file = receive(content, name=name, kind=kind)
        (store_folder / file.storage_key).write_bytes(content.encode()[:-1] + b" ")
        process_file(file.pk)
        file.refresh_from_db()
        assert (file.status, file.error) == ("FAILURE", DAMAGED)
    assert city_statistics(client_id=file.owner_id, city_id=7) is None


@pytest.mark.only_on("sqlite")
def test_bytes_that_are_missing_are_a_failure(receive: Receive) -> None:
    file = receive()
    store().delete(file.storage_key)
    process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error) == ("FAILURE", MISSING)


def test_a_database_outage_does_not_fail_the_file(receive: Receive, use_reader: UseReader) -> None:
    use_reader(raising(OperationalError(2013, "Lost connection to server during query")))
    file = receive()
    with pytest.raises(OperationalError):
        process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.attempts) == ("PENDING", 1)
    assert event_types(file) == ["created"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "RECEIVING"},
        {"status": "SUCCESS"},
        {"status": "FAILURE"},
        {"deleted_at": timezone.now()},
        {"attempts": 3},
        {"lease_until": timezone.now() + timedelta(days=1)},
    ],
)
def test_a_file_that_is_not_waiting_is_not_processed(
    receive: Receive, change: dict[str, Any]
) -> None:
    file = receive()
    File.unscoped.filter(pk=file.pk).update(**change)
    assert next_waiting() is None
    assert process_file(file.pk) is False
    assert event_types(file) == ["created"]


def test_a_message_for_a_missing_file_does_nothing(receive: Receive) -> None:
    file = receive()
    file_id = str(file.pk)
    file.delete()
    process(file_id)
    assert not File.unscoped.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_message_a_hundred_times_at_once_is_one_result(
    receive: Receive, owner: User
) -> None:
    file = receive(READINGS, name="a.csv")
    taken = at_once(20, lambda _: [process_file(file.pk) for _ in range(5)])
    assert sorted(chain.from_iterable(taken)) == [False] * 99 + [True]
    file.refresh_from_db()
    assert (file.status, file.fencing_token, file.attempts) == ("SUCCESS", 1, 1)
    assert event_types(file) == ["created", "succeeded"]
    assert CityTotals.unscoped.count() == 1
    result = city_statistics(client_id=file.owner_id, city_id=7)
    assert result is not None
    assert result.totals is not None
    assert result.totals.count == 1
