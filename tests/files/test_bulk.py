"""An action on many files: whom it tells, and what it derives again."""

from __future__ import annotations

import uuid

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from tests.files.conftest import Receive
from tests.files.test_tasks import UseBroker, messages, use_broker  # noqa: F401 - a fixture
from timba.accounts.models import User
from timba.files.bulk import Action, change_files
from timba.files.models import Derivative, File
from timba.files.processors.base import FAST
from timba.files.services import delete_file
from timba.files.storage import store

pytestmark = pytest.mark.django_db

READINGS = "7,1.01,2026-01-01T00:00:00Z\n7,3.33,2026-01-02T00:00:00Z\n"


@pytest.mark.parametrize(
    ("action", "told"), [("restore", True), ("retry", True), ("move", False), ("delete", False)]
)
def test_workers_are_told_of_the_files_that_wait_again(
    receive: Receive,
    settle: Receive,
    owner: User,
    use_broker: UseBroker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    action: Action,
    told: bool,
) -> None:
    waiting, processed = receive(), settle("birch\n")
    if action == "retry":
        File.unscoped.filter(pk=waiting.pk).update(status="FAILURE", error="x", queue="")
    if action == "restore":
        for file in (waiting, processed):
            delete_file(actor=owner, file=file)
    use_broker("memory://")
    with django_capture_on_commit_callbacks(execute=True):
        change_files(actor=owner, file_ids=[uuid.uuid4(), processed.pk, waiting.pk], action=action)
    assert messages(FAST) == ([str(waiting.pk)] if told else [])


def test_files_without_bytes_stay_in_the_trash(receive: Receive, owner: User) -> None:
    lost, kept = receive("larch\n"), receive("birch\n")
    for file in (lost, kept):
        delete_file(actor=owner, file=file)
    store().delete(lost.storage_key)
    outcome = change_files(actor=owner, file_ids=[lost.pk, kept.pk], action="restore")
    assert outcome.done == [kept.pk]
    assert outcome.errors == {
        lost.pk: "Its bytes are gone, so it cannot be restored. Upload the file again."
    }
    assert File.unscoped.live().get() == kept


def test_lost_derived_objects_are_made_again(settle: Receive, owner: User) -> None:
    lost = settle(READINGS, name="lost.csv")
    kept = settle(READINGS.replace("7,", "8,"), name="kept.csv")
    for file in (lost, kept):
        delete_file(actor=owner, file=file)
    store().delete(Derivative.objects.get(file=lost, role="readings").storage_key)
    change_files(actor=owner, file_ids=[lost.pk, kept.pk], action="restore")
    assert dict(File.unscoped.values_list("name", "status")) == {
        "lost.csv": "PENDING",
        "kept.csv": "SUCCESS",
    }
