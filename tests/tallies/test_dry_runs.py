"""Dry runs of tally sheets: what a sheet would add, before any of it is recorded."""

from __future__ import annotations

import pytest

from tests.tallies.conftest import Upload
from tests.tallies.sheets import tally, workbook
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.events.models import OutboxEvent
from timba.files.models import File, ImportProfile
from timba.files.processing import process_file
from timba.files.services import delete_file, retry_file

pytestmark = pytest.mark.django_db

ROW = ("B-1", 4.2, 30.5, 25)
NO_UNITS = ("Tag", "Len", "W", "T")
FEET = {"units": {"length": "ft", "breadth": "in", "height": "in"}}


def process(file: File) -> File:
    assert process_file(file.pk)
    file.refresh_from_db()
    return file


def numbers(file: File) -> tuple[int, int, float]:
    assert file.result is not None
    return file.result["accepted"], file.result["unchanged"], file.result["volume"]


@pytest.fixture
def dry(wait: Upload) -> Upload:
    """Return a function that uploads and processes a tally as a dry run."""

    def send(content: bytes | str, **options: Consignment | None) -> File:
        file = wait(content, **options)
        File.unscoped.filter(pk=file.pk).update(dry_run=True)
        return process(file)

    return send


def test_a_dry_run_says_what_a_sheet_would_add_and_adds_nothing(
    dry: Upload, consignment: Consignment
) -> None:
    file = dry(tally(ROW, ("B-2", 4, 30, 25)))
    assert (file.status, numbers(file)) == ("SUCCESS", (2, 0, 0.62))
    assert not Log.unscoped.exists()
    assert not OutboxEvent.objects.filter(type="timba.log.created").exists()
    assert file.recorded_at is None


def test_a_dry_run_that_is_confirmed_adds_its_logs_once(
    dry: Upload, consignment: Consignment, owner: User
) -> None:
    file = dry(tally(ROW))
    retry_file(actor=owner, file=file, dry_run=False)
    assert numbers(process(file)) == (1, 0, 0.32)
    assert list(Log.unscoped.values_list("barcode", flat=True)) == ["B-1"]
    assert file.recorded_at is not None


def test_a_dry_run_needs_no_consignment_yet(dry: Upload, owner: User) -> None:
    file = dry(tally(ROW), place=None)
    assert (file.status, numbers(file)) == ("SUCCESS", (1, 0, 0.32))
    retry_file(actor=owner, file=file, dry_run=False)
    assert process(file).error == (
        "It belongs to no consignment yet. Choose its consignment, then try again."
    )
    assert (file.dry_run, file.recorded_at) == (True, None)


def test_a_question_ends_as_a_failure_that_asks_and_an_answer_is_remembered(
    upload: Upload, owner: User
) -> None:
    file = upload(workbook(NO_UNITS, ("B-1", 12, 10, 8), ("B-2", 300, 12, 10)))
    assert file.status == "FAILURE"
    assert file.result is not None
    assert [question["field"] for question in file.result["questions"]] == ["units"]
    assert file.error == file.result["questions"][0]["sentence"]
    assert not Log.unscoped.exists()
    retry_file(actor=owner, file=file, read_as=FEET)
    assert process(file).result["accepted"] == 1  # type: ignore[index]
    profile = ImportProfile.unscoped.get()
    assert (profile.read_as, profile.used_count, profile.created_by) == (FEET, 0, owner)
    assert profile.header == "Tag · Len · W · T"


def test_a_profile_answers_for_the_next_sheet_and_says_so(upload: Upload, owner: User) -> None:
    first = upload(workbook(NO_UNITS, ("B-1", 130, 10, 8), ("B-2", 120, 10, 8)))
    retry_file(actor=owner, file=first, read_as=FEET)
    process(first)
    second = upload(workbook(NO_UNITS, ("B-3", 420, 10, 8), ("B-4", 410, 10, 8)))
    assert second.status == "FAILURE"  # half of its rows would be implausible
    third = upload(workbook(NO_UNITS, ("B-5", 130, 10, 8), ("B-6", 14, 10, 12)))
    assert third.status == "SUCCESS"
    assert third.result is not None
    profile = ImportProfile.unscoped.get()
    assert third.result["read_as"]["profile"] == profile.pk
    assert [warning["code"] for warning in third.result["warnings"]] == ["profile_used"]
    assert profile.used_count == 1


def test_a_sheet_without_barcodes_is_recorded_once(upload: Upload, owner: User) -> None:
    sheet = workbook(("No.", "Length (m)", "Breadth (cm)", "Height (cm)"), (1, 4, 30, 25))
    make = {"columns": {"barcode": None}}
    first = upload(sheet)
    assert [q["field"] for q in first.result["questions"]] == ["columns.barcode"]  # type: ignore[index]
    retry_file(actor=owner, file=first, read_as=make)
    assert process(first).status == "SUCCESS"
    delete_file(actor=owner, file=first)
    again = upload(sheet)
    assert again.error == (
        "The logs of this sheet were added already, from “tally.xlsx”. It has no barcodes, so "
        "they would be added a second time."
    )
    assert Log.unscoped.count() == 1
