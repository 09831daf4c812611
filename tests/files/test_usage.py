"""A subscription counts exactly the bytes of its client's files; its quota is not exceeded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from tests.files.conftest import FinishUpload, Objects, Receive, accept
from tests.threads import at_once
from timba.accounts.models import Subscription, User
from timba.files.entry import check_quota
from timba.files.models import File
from timba.files.receiving import UploadRejected, UploadsDoNotFit, discard
from timba.files.services import delete_file
from timba.files.sweeping import sweep_files
from timba.files.usage import WrongCount, find_wrong_counts, recount

pytestmark = pytest.mark.django_db

READINGS = "7,21.5,2026-01-01T00:00:00Z\n"


def used_bytes(owner: User) -> int:
    return Subscription.objects.get(client=owner.client).used_bytes


def set_quota(owner: User, quota_bytes: int) -> None:
    Subscription.objects.filter(client=owner.client).update(quota_bytes=quota_bytes)


def empty_trash() -> None:
    File.unscoped.exclude(deleted_at=None).update(deleted_at=timezone.now() - timedelta(days=999))
    sweep_files()


def test_files_count_until_they_are_erased(receive: Receive, owner: User) -> None:
    kept, deleted = receive(b"x" * 100), receive(b"x" * 20)
    assert used_bytes(owner) == 120
    delete_file(actor=owner, file=deleted)
    sweep_files()
    assert used_bytes(owner) == 120
    empty_trash()
    assert used_bytes(owner) == 100
    assert list(File.unscoped.all()) == [kept]


def test_a_duplicate_does_not_count(
    receive: Receive, finish_upload: FinishUpload, owner: User
) -> None:
    receive(READINGS, name="a.csv")
    set_quota(owner, len(READINGS))
    [again] = accept(owner, finish_upload(READINGS, name="b.csv"))
    assert again.duplicate
    assert used_bytes(owner) == len(READINGS)


def test_the_last_byte_of_the_quota_can_be_used_and_no_more(
    receive: Receive, finish_upload: FinishUpload, owner: User
) -> None:
    set_quota(owner, 100)
    receive(b"x" * 90)
    small, large = finish_upload(b"x" * 10), finish_upload(b"x" * 11, name="large.txt")
    with pytest.raises(UploadsDoNotFit) as refusal:
        accept(owner, large)
    assert str(refusal.value) == (
        "“large.txt” does not fit: 10 bytes of the subscription's 100 bytes are free. "
        "Ask for more, or delete files: they count until they leave the trash."
    )
    assert File.unscoped.get(pk=large.id).status == "RECEIVING"
    accept(owner, small)
    assert used_bytes(owner) == 100


def test_of_several_uploads_those_that_do_not_fit_are_named_and_none_is_accepted(
    finish_upload: FinishUpload, owner: User
) -> None:
    set_quota(owner, 100)
    uploads = [finish_upload(b"x" * size, name=f"{size}.txt") for size in (60, 50, 40)]
    with pytest.raises(UploadsDoNotFit) as refusal:
        accept(owner, *uploads)
    assert list(refusal.value.rejections) == [uploads[1]]
    assert used_bytes(owner) == 0
    assert not File.unscoped.exclude(status="RECEIVING").exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_uploads_do_not_exceed_the_quota(
    owner: User, finish_upload: FinishUpload, objects: Objects
) -> None:
    set_quota(owner, 30)
    uploads = [finish_upload(b"x" * 10, name=f"{number}.txt") for number in range(8)]
    outcomes = at_once(8, lambda number: accept(owner, uploads[number]))
    refused = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, UploadsDoNotFit)]
    assert len(refused) == 5
    discard(*(uploads[number] for number in refused))
    assert (File.unscoped.count(), len(objects()), used_bytes(owner)) == (3, 3, 30)
    assert find_wrong_counts() == []


@pytest.mark.django_db(transaction=True)
def test_a_file_that_two_sweepers_erase_is_subtracted_once(receive: Receive, owner: User) -> None:
    receive(b"x" * 100)
    delete_file(actor=owner, file=receive(b"x" * 20))
    File.unscoped.exclude(deleted_at=None).update(deleted_at=timezone.now() - timedelta(days=999))
    assert at_once(4, lambda _: sweep_files()) == [None] * 4
    assert used_bytes(owner) == 100


@pytest.mark.only_on("sqlite")
def test_readings_that_may_count_already_are_rejected_early_only_beyond_the_whole_quota(
    owner: User,
) -> None:
    subscription = owner.client.subscription
    subscription.quota_bytes, subscription.used_bytes = 100, 90
    check_quota(owner.client, name="a.csv", size=100)
    check_quota(owner.client, name="readings", size=100)
    check_quota(owner.client, name="a.xlsx", size=10)
    for name, size in (("a.csv", 101), ("a.xlsx", 11), ("a.jpg", 11)):
        with pytest.raises(UploadRejected, match="^“a.* does not fit: 10 bytes of"):
            check_quota(owner.client, name=name, size=size)


# --- Counts that are wrong -----------------------------------------------------------------------


def test_a_wrong_count_is_found_and_corrected(
    receive: Receive, finish_upload: FinishUpload, owner: User
) -> None:
    receive(b"x" * 100)
    delete_file(actor=owner, file=receive(b"x" * 20))
    finish_upload(b"x" * 7)
    assert find_wrong_counts() == []
    Subscription.objects.filter(client=owner.client).update(used_bytes=1)
    assert owner.client_id is not None
    wrong = WrongCount(client_id=owner.client_id, counted=1, actual=120)
    assert find_wrong_counts() == [wrong]
    recount(owner.client_id)
    assert (used_bytes(owner), find_wrong_counts()) == (120, [])


def test_the_migration_counts_the_files_of_every_client(
    receive: Receive, finish_upload: FinishUpload, owner: User
) -> None:
    receive(b"x" * 100)
    finish_upload(b"x" * 7)
    Subscription.objects.update(used_bytes=0)
    loader = MigrationLoader(connection)
    migration = loader.get_migration("files", "0005_count_bytes")
    apps = loader.project_state(("files", "0005_count_bytes")).apps
    migration.operations[0].code(apps, None)
    assert used_bytes(owner) == 100


@pytest.mark.parametrize("field", ["used_bytes", "quota_bytes"])
def test_no_count_is_negative(owner: User, field: str) -> None:
    with pytest.raises(IntegrityError, match="subscription_"), transaction.atomic():
        Subscription.objects.filter(client=owner.client).update(**{field: -1})
