"""Files that are processed again: with answers, and dry runs that are recorded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.files.conftest import FinishUpload, Receive, UseProcessors
from timba.accounts.models import User
from timba.errors import Conflict, Invalid
from timba.events.models import OutboxEvent
from timba.files.models import File, ImportProfile
from timba.files.processing import process_file
from timba.files.receiving import accept_files
from timba.files.services import retry_failed_files, retry_file

pytestmark = pytest.mark.django_db

METRES = {"units": {"length": "m"}}


@pytest.fixture(autouse=True)
def _tallies_ask(use_processors: UseProcessors) -> None:
    use_processors("tests.files.asking.PROCESSOR", "timba.files.processors.text.PROCESSOR")


@pytest.fixture
def read_only(owner: User, finish_upload: FinishUpload) -> Receive:
    """Return a function that uploads a file as a dry run, and processes it."""

    def send(*, name: str = "board.csv", kind: str = "tally", **options: Any) -> File:
        upload = finish_upload("Length\n4.2\n", name=name)
        upload.identify(kind=kind)
        assert owner.client is not None
        accept_files(actor=owner, client=owner.client, uploads=[upload], dry_run=True, **options)
        return process_again(upload.row)

    return send


def process_again(file: File) -> File:
    assert process_file(file.pk)
    file.refresh_from_db()
    return file


def last_event_says_dry_run() -> bool:
    event = OutboxEvent.objects.order_by("sequence").last()
    assert event is not None
    return bool(orjson.loads(event.value)["file"].get("dry_run", False))


def test_answers_are_added_to_earlier_ones(settle: Receive, owner: User) -> None:
    file = settle("Length\n4.2\n", name="board.csv", kind="tally")
    file = retry_file(actor=owner, file=file, read_as={"columns": {"length": 1}})
    assert (file.result, file.asks, file.answered_by) == (None, None, owner)
    file = retry_file(actor=owner, file=process_again(file), read_as=METRES)
    assert file.read_as == {"columns": {"length": 1}, "units": {"length": "m"}}
    assert process_again(file).status == "SUCCESS"


@pytest.mark.parametrize("options", [{"read_as": {"units": {"length": "yd"}}}, {"read_as": []}])
def test_a_file_with_invalid_answers_is_not_retried(
    settle: Receive, owner: User, options: Any
) -> None:
    file = settle("Length\n4.2\n", name="board.csv", kind="tally")
    with pytest.raises(Invalid):
        retry_file(actor=owner, file=file, **options)
    file.refresh_from_db()
    assert (file.status, file.read_as, file.answered_by) == ("FAILURE", None, None)


def test_a_dry_run_is_read_and_not_recorded(read_only: Receive) -> None:
    file = read_only(read_as=METRES)
    assert (file.status, file.result["rows"], file.dry_run) == ("SUCCESS", 1, True)
    assert (file.recorded_at, ImportProfile.unscoped.exists()) == (None, False)
    assert last_event_says_dry_run()


def test_a_retry_records_a_dry_run(read_only: Receive, owner: User) -> None:
    file = retry_file(actor=owner, file=read_only(read_as=METRES))
    assert last_event_says_dry_run()
    file = process_again(file)
    assert not last_event_says_dry_run()
    assert (file.status, file.dry_run, file.recorded_at) == ("SUCCESS", False, file.processed_at)
    assert ImportProfile.unscoped.count() == 1
    for options in ({"dry_run": True}, {"read_as": METRES}):
        with pytest.raises(Conflict, match=r"^Only a file in FAILURE, or a dry run, can be tried"):
            retry_file(actor=owner, file=file, **options)


@pytest.mark.parametrize(
    ("asks", "options", "records"),
    [
        (False, {"read_as": METRES}, False),
        (False, {"dry_run": True}, False),
        (False, {"read_as": METRES, "dry_run": False}, True),
        (True, {}, False),
        (True, {"read_as": METRES}, False),
        (True, {"dry_run": False}, True),
    ],
)
def test_a_dry_run_stays_one_with_answers_and_after_a_failure(
    read_only: Receive, owner: User, asks: bool, options: Any, records: bool
) -> None:
    file = read_only(read_as=None if asks else METRES)
    assert file.status == ("FAILURE" if asks else "SUCCESS")
    assert retry_file(actor=owner, file=file, **options).records is records


def test_a_confirmed_dry_run_that_fails_is_recorded_by_the_next_try(
    read_only: Receive, owner: User
) -> None:
    file = retry_file(actor=owner, file=read_only(), dry_run=False)
    file = retry_file(actor=owner, file=process_again(file), read_as=METRES)
    assert process_again(file).recorded_at is not None


def test_a_failed_tally_is_retried_as_a_dry_run(settle: Receive, owner: User) -> None:
    file = settle("Length\n4.2\n", name="board.csv", kind="tally")
    retry_file(actor=owner, file=file, read_as=METRES, dry_run=True)
    file = process_again(file)
    assert (file.status, file.dry_run, file.recorded_at) == ("SUCCESS", True, None)


def test_a_dry_run_that_waits_is_not_retried(read_only: Receive, owner: User) -> None:
    file = read_only(read_as=METRES)
    retry_file(actor=owner, file=file, dry_run=True)
    with pytest.raises(Conflict):
        retry_file(actor=owner, file=file, dry_run=True)


def test_only_tallies_are_dry_runs(read_only: Receive, owner: User) -> None:
    file = read_only(name="note.txt", kind="text")
    assert (file.status, file.dry_run, file.recorded_at) == ("SUCCESS", False, None)
    File.unscoped.update(status="FAILURE")
    with pytest.raises(Invalid) as refusal:
        retry_file(actor=owner, file=file, dry_run=True)
    sentence = "There are no dry runs of files of kind text, only of tallies."
    assert refusal.value.fields == {"dry_run": [sentence]}


def test_files_that_wait_for_answers_are_not_retried_with_the_failed_ones(
    settle: Receive, read_only: Receive, owner: User
) -> None:
    asking = settle("Length\n4.2\n", name="board.csv", kind="tally")
    dry_run = read_only(read_as=METRES)
    note = settle("larch\n")
    File.unscoped.filter(pk__in=[dry_run.pk, note.pk]).update(status="FAILURE")
    assert owner.client is not None
    assert retry_failed_files(actor=owner, client=owner.client) == 2
    asking.refresh_from_db()
    dry_run.refresh_from_db()
    assert (asking.status, dry_run.status, dry_run.dry_run) == ("FAILURE", "PENDING", True)


def test_answers_are_checked_before_the_status(settle: Receive, owner: User) -> None:
    file = settle("larch\n")
    assert file.status == "SUCCESS"
    with pytest.raises(Invalid):
        retry_file(actor=owner, file=file, read_as=METRES)
