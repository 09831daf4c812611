"""The write operations on files, each with its event in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.factories import ClientFactory, UserFactory
from tests.files.conftest import Receive
from timba.accounts.models import User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.errors import Conflict, Forbidden, Lapsed, NotFound
from timba.events.models import OutboxEvent
from timba.events.outbox import Event, publish
from timba.files import services
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.services import delete_file, link_file, retry_failed_files, retry_file
from timba.temperatures.statistics.cities import city_statistics

pytestmark = pytest.mark.django_db

READINGS = "7,21.5,2026-01-01T00:00:00Z\n"
BAD = "nothing that is a reading\n"


@pytest.fixture
def fail(settle: Receive) -> Callable[[], File]:
    """Return a function that creates a file in FAILURE."""
    return lambda: settle(BAD, name="bad.csv", kind="temperatures")


@pytest.fixture
def consignment(owner: User) -> Consignment:
    return Consignment.objects.create(
        client=owner.client, name="Lorry 7", type="pinewood", created_by=owner
    )


def last_event() -> tuple[str, int | None]:
    event = OutboxEvent.objects.order_by("sequence").last()
    assert event is not None
    return event.type, event.actor_id


def test_a_file_is_assigned_and_unassigned(
    receive: Receive, owner: User, consignment: Consignment
) -> None:
    file = receive()
    for place in (consignment, None):
        link_file(actor=owner, file=file, consignment=place, log=None)
        assert File.unscoped.get().consignment == place
        assert last_event() == ("timba.file.updated", owner.pk)


def test_a_file_that_moves_leaves_a_log_of_its_old_consignment_behind(
    receive: Receive, owner: User, consignment: Consignment
) -> None:
    other = open_consignment(actor=owner, client=owner.client, name="Other", type="pinewood")
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    log = add_log(actor=owner, consignment=consignment, **size)
    file = receive()
    for place, kept in ((consignment, log), (other, None), (None, None)):
        link_file(actor=owner, file=file, consignment=consignment, log=log)
        link_file(actor=owner, file=file, consignment=place)
        moved = File.unscoped.get()
        assert (moved.consignment, moved.log) == (place, kept)
        assert json.loads(OutboxEvent.objects.latest("pk").value)["file"]["log_id"] == moved.log_id


def test_a_file_is_not_assigned_to_another_clients_consignment(
    receive: Receive, consignment: Consignment
) -> None:
    stranger = UserFactory(client=ClientFactory())
    theirs = Consignment.objects.create(
        client=stranger.client, name="Theirs", type="pinewood", created_by=stranger
    )
    file = receive()
    with pytest.raises(NotFound, match="There is no such consignment or log"):
        link_file(actor=file.uploaded_by, file=file, consignment=theirs, log=None)
    assert File.unscoped.get().consignment is None


def test_a_failed_file_is_retried(fail: Callable[[], File], owner: User) -> None:
    file = fail()
    fence = file.fencing_token
    file = retry_file(actor=owner, file=file)
    assert (file.status, file.progress, file.attempts) == ("PENDING", 0.0, 0)
    assert (file.result, file.error, file.processed_at) == (None, "", None)
    assert file.fencing_token == fence + 1
    assert last_event() == ("timba.file.updated", owner.pk)
    assert process_file(file.pk)
    assert File.unscoped.get().status == "FAILURE"


@pytest.mark.parametrize("status", ["PENDING", "SUCCESS"])
def test_only_a_failed_file_is_retried(receive: Receive, owner: User, status: str) -> None:
    file = receive()
    File.unscoped.update(status=status)
    sentence = r"^Only a file in FAILURE, or a dry run, can be tried again\.$"
    with pytest.raises(Conflict, match=sentence):
        retry_file(actor=owner, file=file)


def test_a_failed_file_whose_readings_count_already_is_not_retried(
    receive: Receive, settle: Receive, owner: User
) -> None:
    failed = receive(READINGS, name="a.csv")
    File.unscoped.filter(pk=failed.pk).update(status="FAILURE", live_digest=None)
    settle(READINGS, name="b.csv")
    with pytest.raises(Conflict, match="The same readings count already"):
        retry_file(actor=owner, file=failed)
    failed.refresh_from_db()
    assert (failed.status, failed.live_digest) == ("FAILURE", None)


def test_all_failed_files_of_a_client_are_retried_except_duplicates(
    fail: Callable[[], File],
    receive: Receive,
    settle: Receive,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "_BATCH", 2)
    failed = [receive(f"note {number}\n") for number in range(5)]
    File.unscoped.update(status="FAILURE")
    duplicate = receive(READINGS, name="a.csv")
    File.unscoped.filter(pk=duplicate.pk).update(status="FAILURE", live_digest=None)
    settle(READINGS, name="b.csv")
    deleted = fail()
    delete_file(actor=owner, file=deleted)
    stranger = UserFactory(client=ClientFactory())
    theirs = receive("theirs\n")
    File.unscoped.filter(pk=theirs.pk).update(client=stranger.client, status="FAILURE")
    assert owner.client is not None
    assert retry_failed_files(actor=owner, client=owner.client) == 5
    pending = File.unscoped.filter(status="PENDING").values_list("pk", flat=True)
    assert set(pending) == {file.pk for file in failed}
    events = OutboxEvent.objects.filter(type="timba.file.updated")
    assert {event.key for event in events} == {str(file.pk) for file in failed}
    assert retry_failed_files(actor=owner, client=owner.client) == 0


@pytest.mark.django_db(transaction=True)
def test_retried_files_are_counted_once_when_a_later_batch_loses_a_deadlock(
    receive: Receive, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        receive(f"note {number}\n")
    File.unscoped.update(status="FAILURE")
    steps = []

    def publish_late(*facts: Event) -> None:
        steps.append(facts)
        if len(steps) == 2:
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        publish(*facts)

    monkeypatch.setattr(services, "_BATCH", 2)
    monkeypatch.setattr(services, "publish", publish_late)
    assert owner.client is not None
    assert retry_failed_files(actor=owner, client=owner.client) == 4
    assert File.unscoped.filter(status="PENDING").count() == 4
    assert OutboxEvent.objects.filter(type="timba.file.updated").count() == 4


@pytest.mark.parametrize("status", ["PENDING", "SUCCESS", "FAILURE"])
def test_a_deleted_file_is_invisible_to_everyone(
    receive: Receive, owner: User, staff: User, status: str
) -> None:
    file = receive()
    File.unscoped.update(status=status)
    delete_file(actor=owner, file=file)
    assert last_event() == ("timba.file.deleted", owner.pk)
    for user in (owner, staff):
        assert not File.objects.visible_to(user).exists()
    for change in (delete_file, retry_file):
        with pytest.raises(NotFound, match="There is no such file"):
            change(actor=owner, file=file)


def test_deleted_readings_no_longer_count(settle: Receive, owner: User) -> None:
    file = settle(READINGS, name="a.csv")
    assert city_statistics(client_id=file.owner_id, city_id=7) is not None
    delete_file(actor=owner, file=file)
    assert city_statistics(client_id=file.owner_id, city_id=7) is None
    again = settle(READINGS, name="a.csv")
    assert again.pk != file.pk
    assert city_statistics(client_id=file.owner_id, city_id=7) is not None


def test_a_user_without_the_permission_changes_no_file(
    fail: Callable[[], File], make_user: Callable[..., User]
) -> None:
    file = fail()
    before = File.unscoped.values().get()
    viewer, stranger = make_user(role="viewer"), UserFactory(client=ClientFactory())
    lapsed = make_user()
    lapsed.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    lapsed.client.subscription.save()
    for actor, refusal in ((viewer, Forbidden), (stranger, NotFound), (lapsed, Lapsed)):
        file = File.unscoped.select_related("client__subscription").get()
        with pytest.raises(refusal):
            delete_file(actor=actor, file=file)
        with pytest.raises(refusal):
            retry_file(actor=actor, file=file)
        with pytest.raises(refusal):
            link_file(actor=actor, file=file, consignment=None, log=None)
        with pytest.raises(refusal):
            retry_failed_files(actor=actor, client=file.client)
    assert File.unscoped.values().get() == before
