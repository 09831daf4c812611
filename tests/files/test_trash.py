"""A deleted file is restored as it was, unless its bytes are gone or its readings count again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from tests.factories import ClientFactory, UserFactory
from tests.files.conftest import Objects, Receive
from tests.files.runs import claimed, event_types, let_an_hour_pass
from timba import failpoints
from timba.accounts.models import Subscription, User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.errors import Conflict, Forbidden, Lapsed, NotFound, Unavailable
from timba.events.models import OutboxEvent
from timba.files import processing, sweeping, trash
from timba.files.erasure import begin_erasure, hold_erasure
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.processors.base import Superseded
from timba.files.schemas import serialize_file
from timba.files.services import delete_file, link_file, retry_file
from timba.files.storage import StorageUnavailable, store
from timba.files.sweeping import sweep_files
from timba.files.trash import deleted_files, restore_file
from timba.serialization import dumps
from timba.temperatures.models import CityTotals, DataVersion
from timba.temperatures.statistics.cities import city_statistics

pytestmark = pytest.mark.django_db

READINGS = "7,1.01,2026-01-01T00:00:00Z\n7,warm,2026-01-01T00:00:00Z\n7,3.33,2026-01-02T00:00:00Z\n"
GONE = r"^Its bytes are gone, so it cannot be restored\. Upload the file again\.$"


def restore(file: File, actor: User) -> File:
    return restore_file(actor=actor, file=File.unscoped.get(pk=file.pk))


def row(file: File) -> dict[str, Any]:
    """Return what is the same of a file before its deletion and after its restoration."""
    values = File.unscoped.filter(pk=file.pk).values().get()
    changed = ("fencing_token", "touched_at", "notified_at")
    return {name: value for name, value in values.items() if name not in changed}


def let_the_trash_expire() -> None:
    File.unscoped.update(deleted_at=F("deleted_at") - timedelta(days=8))


@pytest.fixture
def file(settle: Receive) -> File:
    """Return a file with two readings of a city, and a reject."""
    return settle(READINGS, name="yard.csv")


@pytest.fixture
def in_each_state(
    receive: Receive, settle: Receive, owner: User, file: File
) -> Callable[[], dict[str, File]]:
    """Return a function that makes a file in each state that it can be deleted in."""

    def make() -> dict[str, File]:
        again = settle(READINGS.replace("7,", "9,"), name="again.csv")
        return {
            "SUCCESS": file,
            "FAILURE": settle("7,warm\n", name="bad.csv", kind="temperatures"),
            "PENDING": receive("birch\n"),
            "read again": retry_file(actor=owner, file=again, read_as={"unit": "C"}),
        }

    return make


def test_a_file_is_restored_as_it_was_in_each_state(
    in_each_state: Callable[[], dict[str, File]], owner: User
) -> None:
    for state, file in in_each_state().items():
        before, body = row(file), serialize_file(File.unscoped.get(pk=file.pk))
        delete_file(actor=owner, file=file)
        deleted = File.unscoped.get(pk=file.pk)
        assert (deleted.deleted_by, deleted.live_digest, deleted.queue) == (owner, None, ""), state
        restored = restore(file, owner)
        assert row(file) == before, state
        assert serialize_file(restored) == body
        assert event_types(file)[-2:] == ["deleted", "created"]
        event = OutboxEvent.objects.latest("sequence")
        assert json.loads(event.value) == {"action": "create", "file": json.loads(dumps(body))}
        assert event.actor_id == owner.pk
        if not file.processed:
            assert process_file(file.pk), state
            assert File.unscoped.get(pk=file.pk).status == "SUCCESS"


def test_a_worker_that_had_claimed_a_restored_file_writes_nothing(
    receive: Receive, owner: User
) -> None:
    file = receive(READINGS, name="yard.csv")
    run = claimed(file)
    outcome = processing._read(run)
    delete_file(actor=owner, file=file)
    restore(file, owner)
    with pytest.raises(Superseded):
        processing._settle(run.fenced_row(), outcome, seconds=0)
    let_an_hour_pass()
    sweep_files()
    assert not CityTotals.unscoped.exists()
    assert process_file(file.pk)
    assert city_statistics(client_id=file.owner_id, city_id=7).totals.count == 2


def test_readings_count_again_to_the_digit_and_cached_statistics_are_renewed(
    file: File, owner: User
) -> None:
    def statistics() -> Any:
        return city_statistics(client_id=file.owner_id, city_id=7)

    before, rows = statistics(), list(CityTotals.unscoped.values())
    versions = {DataVersion.unscoped.get().version}
    delete_file(actor=owner, file=file)
    assert statistics() is None
    versions.add(DataVersion.unscoped.get().version)
    restore(file, owner)
    versions.add(DataVersion.unscoped.get().version)
    assert len(versions) == 3  # so no other process answers from its cache
    assert (statistics(), list(CityTotals.unscoped.values())) == (before, rows)


def test_readings_that_count_in_a_twin_are_not_restored(
    file: File, owner: User, settle: Receive
) -> None:
    delete_file(actor=owner, file=file)
    twin = settle(READINGS, name="yard again.csv")
    before = row(file)
    with pytest.raises(Conflict, match="^The same readings count already: they are in “yard again"):
        restore(file, owner)
    assert row(file) == before
    assert event_types(file)[-1] == "deleted"
    delete_file(actor=owner, file=twin)
    restore(file, owner)
    assert city_statistics(client_id=file.owner_id, city_id=7).totals.count == 2


def test_a_file_in_failure_is_restored_beside_a_twin(
    receive: Receive, file: File, owner: User
) -> None:
    other = receive(READINGS.replace("7,", "8,"), name="other.csv")
    File.unscoped.filter(pk=other.pk).update(
        sha256=file.sha256, status="FAILURE", live_digest=None, queue=""
    )
    delete_file(actor=owner, file=other)
    assert restore(other, owner).live_digest is None


def test_a_file_is_restored_where_it_was(file: File, owner: User) -> None:
    place, other = (
        open_consignment(actor=owner, client=owner.client, name=name, type="pinewood")
        for name in ("Lorry 7", "Lorry 8")
    )
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    log = add_log(actor=owner, consignment=other, **size)
    link_file(actor=owner, file=file, consignment=place, log=log)
    delete_file(actor=owner, file=file)
    restored = restore(file, owner)
    assert (restored.consignment, restored.log) == (place, log)
    delete_file(actor=owner, file=restored)
    delete_consignment(actor=owner, consignment=place)
    restored = restore(file, owner)
    assert (restored.consignment_id, restored.log) == (None, log)
    delete_file(actor=owner, file=restored)
    delete_consignment(actor=owner, consignment=other)
    assert restore(file, owner).log_id is None


def test_a_tally_is_restored_with_its_result_and_records_nothing_again(
    receive: Receive, owner: User
) -> None:
    place = open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="pinewood")
    sheet = "barcode,length (m),breadth (cm),height (cm)\nA-1,4.2,30,30\n"
    tally = receive(sheet, name="tally.csv", kind="tally")
    link_file(actor=owner, file=tally, consignment=place)
    assert process_file(tally.pk)
    logs, before = list(Log.unscoped.values()), row(tally)
    assert len(logs) == 1
    delete_file(actor=owner, file=tally)
    assert list(Log.unscoped.values()) == logs
    restore(tally, owner)
    assert not process_file(tally.pk)
    assert (list(Log.unscoped.values()), row(tally)) == (logs, before)
    assert Consignment.unscoped.get().log_count == 1


def test_who_deleted_and_uploaded_it_may_be_gone(file: File, owner: User) -> None:
    colleague = UserFactory(client=owner.client)
    File.unscoped.update(uploaded_by=colleague)
    delete_file(actor=colleague, file=file)
    colleague.delete()
    assert File.unscoped.get().deleted_by is None
    assert restore(file, owner).uploaded_by is None


def test_the_quota_counts_a_file_as_long_as_its_bytes_are_there(file: File, owner: User) -> None:
    def used() -> int:
        return Subscription.objects.get(client=owner.client).used_bytes

    Subscription.objects.update(quota_bytes=file.size)
    delete_file(actor=owner, file=file)
    assert used() == file.size
    restore(file, owner)
    assert used() == file.size


def test_only_a_deleted_file_is_restored(file: File, owner: User) -> None:
    with pytest.raises(Conflict, match=r"^The file is not in the trash\.$"):
        restore(file, owner)
    delete_file(actor=owner, file=file)
    gone = File.unscoped.get()
    gone.delete()
    with pytest.raises(NotFound):
        restore_file(actor=owner, file=File(pk=file.pk, client=file.client))


def test_a_user_without_the_permission_restores_nothing(
    file: File, owner: User, make_user: Callable[..., User]
) -> None:
    delete_file(actor=owner, file=file)
    before = row(file)
    viewer, stranger = make_user(role="viewer"), UserFactory(client=ClientFactory())
    lapsed = make_user()
    lapsed.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    lapsed.client.subscription.save()
    for actor, refusal in ((viewer, Forbidden), (stranger, NotFound), (lapsed, Lapsed)):
        with pytest.raises(refusal):
            restore(file, actor)
    assert row(file) == before


def test_the_trash_shows_the_clients_deleted_files_only(
    file: File, owner: User, receive: Receive, finish_upload: Callable[..., Any]
) -> None:
    receive("live\n")
    abandoned = finish_upload().row
    File.unscoped.filter(pk=abandoned.pk).update(deleted_at=timezone.now(), client=owner.client)
    delete_file(actor=owner, file=file)
    stranger = UserFactory(client=ClientFactory())
    assert [list(deleted_files(user)) for user in (owner, stranger)] == [[file], []]
    assert not begin_erasure(file)  # it is not due
    assert list(deleted_files(owner)) == [file]


def test_an_expired_file_can_be_restored_until_its_erasure_has_begun(
    file: File, owner: User, objects: Objects
) -> None:
    delete_file(actor=owner, file=file)
    let_the_trash_expire()
    restore(file, owner)
    found = objects()
    sweep_files()
    assert objects() == found
    delete_file(actor=owner, file=file)
    let_the_trash_expire()
    with hold_erasure():
        assert not begin_erasure(file)
        assert list(deleted_files(owner)) == [file]
    assert begin_erasure(file)
    assert list(deleted_files(owner)) == []
    with pytest.raises(Conflict, match=GONE):
        restore(file, owner)
    sweep_files()
    assert (objects(), File.unscoped.exists()) == (set(), False)
    assert Subscription.objects.get(client=owner.client).used_bytes == 0


ERASING = (
    *("sweeping.erasure_begun", "sweeping.run_purged", "sweeping.totals_discarded"),
    *("sweeping.derivatives_erased", "storage.erased", "sweeping.original_erased"),
)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", ERASING)
def test_a_file_whose_erasure_was_interrupted_is_not_restored(
    file: File, owner: User, objects: Objects, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_file(actor=owner, file=file)
    let_the_trash_expire()

    def kill(passed: str) -> None:
        if passed == point:
            raise Killed

    monkeypatch.setattr(failpoints, "_hook", kill)
    with pytest.raises(Killed):
        sweep_files()
    monkeypatch.undo()
    assert File.unscoped.exists()
    with pytest.raises(Conflict, match=GONE):
        restore(file, owner)
    File.unscoped.update(sweep_failed_at=None)
    sweep_files()
    assert (objects(), File.unscoped.exists(), CityTotals.unscoped.exists()) == (
        set(),
        False,
        False,
    )


def test_a_sweeper_erases_nothing_of_a_file_that_was_restored_since_it_looked(
    file: File, owner: User, objects: Objects
) -> None:
    delete_file(actor=owner, file=file)
    let_the_trash_expire()
    found = objects()
    listed = File.unscoped.get()
    restore(file, owner)
    sweeping._delete_file(listed)
    assert (objects(), File.unscoped.get().erasing_since) == (found, None)


def test_a_file_whose_bytes_are_lost_is_not_restored(file: File, owner: User) -> None:
    delete_file(actor=owner, file=file)
    store().delete(file.storage_key)
    with pytest.raises(Conflict, match=GONE):
        restore(file, owner)
    assert File.unscoped.get().deleted_at is not None


@pytest.mark.parametrize("role", ["readings", "rejects"])
def test_lost_derived_objects_are_made_again(file: File, owner: User, role: str) -> None:
    delete_file(actor=owner, file=file)
    store().delete(Derivative.objects.get(role=role).storage_key)
    restored = restore(file, owner)
    assert (restored.status, restored.result, restored.live_digest) == (
        "PENDING",
        None,
        file.sha256,
    )
    assert city_statistics(client_id=file.owner_id, city_id=7) is None
    assert process_file(file.pk)
    assert city_statistics(client_id=file.owner_id, city_id=7).totals.count == 2
    assert event_types(file)[-3:] == ["deleted", "created", "succeeded"]


def test_lost_objects_of_a_file_that_is_read_again_are_made_by_its_new_answers(
    file: File, owner: User
) -> None:
    retry_file(actor=owner, file=file, read_as={"unit": "C"})
    delete_file(actor=owner, file=file)
    store().delete(Derivative.objects.get(role="readings").storage_key)
    restored = restore(file, owner)
    assert (restored.run, restored.read_as, restored.next_read_as) == (None, {"unit": "C"}, None)
    assert process_file(file.pk)
    assert city_statistics(client_id=file.owner_id, city_id=7).totals.count == 2


def test_nothing_is_restored_while_the_store_is_unavailable(
    file: File, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_file(actor=owner, file=file)

    def fail(_: Any) -> set[str]:
        raise StorageUnavailable

    monkeypatch.setattr(trash, "find_missing", fail)
    with pytest.raises(Unavailable):
        restore(file, owner)
    assert File.unscoped.get().deleted_at is not None
