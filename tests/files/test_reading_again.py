"""A temperature file is read with other answers while its result stands and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from rest_framework.test import APIClient

from tests.files.asking_readings import QUESTION
from tests.files.conftest import Objects, Receive, UseProcessors
from tests.files.runs import claimed, event_types, expire_lease, let_an_hour_pass
from tests.migrations import migrate, migrate_to_latest
from timba.accounts.models import User
from timba.errors import Conflict, Invalid
from timba.events.models import OutboxEvent
from timba.files import processing
from timba.files.models import HAS_OBJECT, Derivative, File
from timba.files.processing import LOST, process_file
from timba.files.processors.base import Superseded
from timba.files.services import delete_file, process_again, retry_failed_files, retry_file
from timba.files.sweeping import sweep_files
from timba.temperatures.models import CityTotals, DataVersion

pytestmark = pytest.mark.django_db

READINGS = "7,1.00,2026-01-01T00:00:00Z\n7,warm,2026-01-01T00:00:00Z\n7,3.00,2026-01-02T00:00:00Z\n"
LATER = {"skipped_lines": 2}
ASKS = {"unit": "?"}


@pytest.fixture(autouse=True)
def _readings_have_answers(use_processors: UseProcessors) -> None:
    use_processors("tests.files.asking_readings.PROCESSOR", "timba.files.processors.text.PROCESSOR")


@pytest.fixture
def file(settle: Receive) -> File:
    """Return a file with two readings and a reject, which counts."""
    settled = settle(READINGS, name="yard.csv", kind="temperatures")
    assert (settled.status, settled.result["accepted"]) == ("SUCCESS", 2)
    return settled


def count(file: File) -> int:
    """Return how many readings of the file's client count."""
    totals = CityTotals.unscoped.filter(client_id=file.owner_id).current()
    return sum(totals.values_list("count", flat=True))


def version(file: File) -> Any:
    return DataVersion.unscoped.get(client_id=file.owner_id).version


def state(file: File) -> tuple[str, int | None, Any, Any]:
    file.refresh_from_db()
    return file.status, file.run, file.result, file.read_as


def test_the_result_stands_and_counts_until_the_new_one_replaces_it(
    file: File, owner: User
) -> None:
    before, result, run = version(file), file.result, file.run
    waiting = retry_file(actor=owner, file=file, read_as=LATER)
    assert (waiting.status, waiting.run, waiting.result) == ("PENDING", run, result)
    assert (waiting.read_as, waiting.answered_by, waiting.processed_at) == (None, owner, None)
    assert (count(file), version(file)) == (2, before)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.result["accepted"], file.error) == ("SUCCESS", 1, "")
    assert (file.read_as, file.result["read_as"], file.next_read_as) == (LATER, LATER, None)
    assert (file.run == run, count(file), version(file) == before) == (False, 1, False)
    assert event_types(file) == ["created", "succeeded", "updated", "succeeded"]


def test_readings_of_earlier_versions_have_an_object_while_they_are_read_again(
    file: File, owner: User
) -> None:
    file.derivatives.filter(role="readings").update(size=None, sha256="")
    with_objects = Derivative.objects.filter(HAS_OBJECT, file=file, role="readings")
    assert with_objects.count() == 1
    retry_file(actor=owner, file=file, read_as=LATER)
    assert with_objects.count() == 1


def test_a_replaced_run_is_erased_an_hour_later(file: File, owner: User, objects: Objects) -> None:
    let_an_hour_pass()
    retry_file(actor=owner, file=file, read_as=LATER)
    assert process_file(file.pk)
    file.refresh_from_db()
    sweep_files()
    assert CityTotals.unscoped.filter(file=file).count() == 2
    assert len(objects()) == 5
    let_an_hour_pass()
    sweep_files()
    assert set(CityTotals.unscoped.values_list("run", flat=True)) == {file.run}
    assert set(Derivative.objects.values_list("run", flat=True)) == {file.run}
    assert len(objects()) == 3


def test_nothing_counts_twice_while_the_new_totals_are_staged(file: File, owner: User) -> None:
    retry_file(actor=owner, file=file, read_as=LATER)
    run = claimed(file)
    outcome = processing._read(run)
    assert CityTotals.unscoped.count() == 2
    assert count(file) == 2
    processing._settle(run.fenced_row(), outcome, seconds=0)
    assert count(file) == 1


def test_answers_are_added_to_those_of_the_result(file: File, owner: User) -> None:
    for answers in (LATER, {"unit": "C"}):
        retry_file(actor=owner, file=file, read_as=answers)
        assert process_file(file.pk)
    file.refresh_from_db()
    assert file.read_as == {**LATER, "unit": "C"}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (ASKS, QUESTION["sentence"]),
        ({"skipped_lines": 9}, "With these answers, no line of the file looks like a reading."),
    ],
)
def test_an_attempt_that_fails_leaves_the_result_as_it_was(
    file: File, owner: User, answers: Any, sentence: str
) -> None:
    before, earlier = version(file), state(file)
    retry_file(actor=owner, file=file, read_as=answers)
    assert process_file(file.pk)
    assert state(file) == earlier
    assert file.error.startswith(sentence)
    assert (file.next_read_as, file.live_digest) == (None, file.sha256)
    assert (count(file), version(file)) == (2, before)
    event = OutboxEvent.objects.order_by("sequence").last()
    assert event is not None
    assert orjson.loads(event.value)["file"]["error"] == file.error
    assert event_types(file) == ["created", "succeeded", "updated", "succeeded"]
    let_an_hour_pass()
    sweep_files()
    assert set(Derivative.objects.values_list("run", "is_current")) == {(file.run, True)}
    retry_file(actor=owner, file=file, read_as=LATER)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.error, count(file)) == ("", 1)


def test_three_lost_workers_leave_the_result_as_it_was(file: File, owner: User) -> None:
    earlier = state(file)
    retry_file(actor=owner, file=file, read_as=LATER)
    for _ in range(3):
        run = claimed(file)
        processing._read(run)
        expire_lease(file)
    sweep_files()
    assert state(file) == earlier
    assert (file.error, count(file)) == (LOST, 2)
    let_an_hour_pass()
    sweep_files()
    assert set(CityTotals.unscoped.values_list("run", flat=True)) == {file.run}


def test_a_file_that_is_deleted_meanwhile_counts_no_longer(file: File, owner: User) -> None:
    before = version(file)
    retry_file(actor=owner, file=file, read_as=LATER)
    run = claimed(file)
    delete_file(actor=owner, file=file)
    assert (count(file), version(file) == before) == (0, False)
    with pytest.raises(Superseded):
        processing._process(run)
    assert count(file) == 0


def test_the_rejects_of_the_result_are_there_meanwhile(file: File, owner: User) -> None:
    api_client = APIClient()
    api_client.force_authenticate(owner)
    path = f"/api/files/{file.pk}/rejects/"
    rejects = api_client.get(path).getvalue()
    assert rejects.count(b"\n") == 2
    retry_file(actor=owner, file=file, read_as=LATER)
    assert api_client.get(path).getvalue() == rejects


def test_a_file_that_is_read_again_has_its_twin(file: File, owner: User, receive: Receive) -> None:
    retry_file(actor=owner, file=file, read_as=ASKS)
    assert receive(READINGS, name="copy.csv", kind="temperatures") == file


@pytest.mark.parametrize("options", [{}, {"dry_run": False}])
def test_without_answers_a_file_in_success_is_not_processed_again(
    file: File, owner: User, options: Any
) -> None:
    with pytest.raises(Conflict, match=r"^Only a file in FAILURE, or a dry run, can be tried"):
        retry_file(actor=owner, file=file, **options)


def test_a_file_that_is_read_again_is_not_retried(file: File, owner: User) -> None:
    retry_file(actor=owner, file=file, read_as=LATER)
    with pytest.raises(Conflict):
        retry_file(actor=owner, file=file, read_as=ASKS)
    with pytest.raises(Conflict):
        process_again(file)
    assert owner.client is not None
    assert retry_failed_files(actor=owner, client=owner.client) == 0


def test_only_temperature_files_are_read_again(settle: Receive, owner: User) -> None:
    with pytest.raises(Invalid):
        retry_file(actor=owner, file=settle("larch\n"), read_as=LATER)


@pytest.mark.parametrize("again", [process_again, None])
def test_nothing_of_a_file_counts_while_its_result_is_made_anew(
    file: File, owner: User, again: Callable[[File], None] | None
) -> None:
    if again is None:
        File.unscoped.update(status="FAILURE")
        retry_file(actor=owner, file=file)
    else:
        again(file)
    assert state(file) == ("PENDING", None, None, None)
    assert count(file) == 0
    assert process_file(file.pk)
    assert count(file) == 2


@pytest.mark.django_db(transaction=True)
def test_files_that_waited_for_a_retry_lose_the_run_of_their_earlier_result(owner: User) -> None:
    files = migrate("files", "0009_rows_read").get_model("files", "File").unscoped
    for status in ("PENDING", "FAILURE"):
        files.create(client_id=owner.client_id, status=status, run=3, storage_key=status)
    migrate_to_latest()
    assert dict(File.unscoped.values_list("status", "run")) == {"PENDING": None, "FAILURE": 3}
