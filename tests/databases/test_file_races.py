"""Concurrent changes of many files at once: the second waits, and sees the first's effect."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.databases.test_consignment_races import A_MOMENT, opened, while_another
from tests.temperatures.uploads import settle_readings
from tests.threads import at_once
from timba import failpoints
from timba.accounts.models import User
from timba.consignments.trash import delete_consignment
from timba.events.models import OutboxEvent
from timba.files.bulk import change_files
from timba.files.models import File
from timba.files.services import delete_file, link_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def file(owner: User) -> File:
    return settle_readings("1,1,2026-01-01T00:00:00Z\n", actor=owner)


def event_types() -> list[str]:
    events = OutboxEvent.objects.filter(topic="file_events").order_by("sequence")
    return list(events.values_list("type", flat=True))


def test_a_file_that_is_being_deleted_is_not_deleted_again(owner: User, file: File) -> None:
    outcome = while_another(
        lambda: delete_file(actor=owner, file=file),
        lambda: change_files(actor=owner, file_ids=[file.pk], action="delete"),
    )
    assert (outcome.done, outcome.errors) == ([], {file.pk: "There is no such file."})
    assert event_types().count("timba.file.deleted") == 1


def test_a_file_that_is_being_restored_is_told_when_its_consignment_is_deleted(
    owner: User, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = opened(owner)
    link_file(actor=owner, file=file, consignment=load)
    delete_file(actor=owner, file=file)
    is_restored, goes_on = threading.Event(), threading.Event()

    def hold(passed: str) -> None:
        if passed == "services.restored":
            is_restored.set()
            assert goes_on.wait(60)

    def delete_meanwhile() -> None:
        assert is_restored.wait(60)
        delete_consignment(actor=owner, consignment=load)

    def act(number: int) -> Any:
        if number == 0:
            return change_files(actor=owner, file_ids=[file.pk], action="restore")
        if number == 1:
            return delete_meanwhile()
        assert is_restored.wait(60)
        time.sleep(A_MOMENT)
        goes_on.set()
        return None

    monkeypatch.setattr(failpoints, "_hook", hold)
    restored, *others = at_once(3, act)
    assert (restored.done, restored.errors, others) == ([file.pk], {}, [None, None])
    assert File.unscoped.get().consignment_id is None
    assert event_types()[-2:] == ["timba.file.created", "timba.file.updated"]
    last = OutboxEvent.objects.filter(topic="file_events").latest("sequence")
    assert json.loads(last.value)["file"]["consignment_id"] is None
