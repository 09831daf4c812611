"""An upload becomes a waiting file with its event, a duplicate of one, or is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.factories import ClientFactory, UserFactory
from tests.files.conftest import FinishUpload, Objects, Receive, accept
from tests.threads import at_once
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.errors import Forbidden, Lapsed, NotFound, TooLarge
from timba.events.models import OutboxEvent
from timba.files.kinds import format_size
from timba.files.models import File
from timba.files.receiving import (
    Upload,
    UploadRejected,
    accept_files,
    discard,
)
from timba.files.storage import store

pytestmark = pytest.mark.django_db

READINGS = "7,21.5,2026-01-01T00:00:00Z\n"


def test_an_accepted_file_waits_with_its_metadata(
    receive: Receive, owner: User, objects: Objects
) -> None:
    content = "Lärche\n".encode() * 50_000
    before = timezone.now()
    file = receive(content, name="Größe.txt")
    file.refresh_from_db()
    assert (file.status, file.kind, file.media_type) == ("PENDING", "text", "text/plain")
    assert (file.name, file.size) == ("Größe.txt", len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert (file.client, file.uploaded_by) == (owner.client, owner)
    assert (file.fencing_token, file.attempts, file.lease_until, file.run) == (0, 0, None, None)
    assert 1 <= file.random_number <= 1000
    assert before <= file.uploaded_at <= timezone.now()
    assert file.notified_at == file.uploaded_at
    with store().open_bytes(file.storage_key) as stream:
        assert stream.read() == content
    assert objects() == {file.storage_key}


def test_accepting_publishes_an_event_in_the_same_transaction(
    receive: Receive, owner: User
) -> None:
    file = receive()
    [event] = OutboxEvent.objects.all()
    assert (event.topic, event.type, event.key) == (
        "file_events",
        "timba.file.created",
        str(file.pk),
    )
    assert (event.client_id, event.actor_id) == (owner.client_id, owner.pk)


def test_a_file_is_invisible_before_it_is_accepted(
    finish_upload: FinishUpload, owner: User, staff: User
) -> None:
    finish_upload()
    assert File.unscoped.count() == 1
    assert not File.objects.visible_to(owner).exists()
    assert not File.objects.visible_to(staff).exists()


@pytest.mark.only_on("sqlite")
def test_the_random_number_covers_its_range(owner: User, finish_upload: FinishUpload) -> None:
    accepted = accept(owner, *(finish_upload() for _ in range(30)))
    assert len({one.file.random_number for one in accepted}) > 15


@pytest.mark.parametrize(
    "name",
    [
        "木" * 251 + ".txt",
        "Ä" * 251 + ".txt",
        "🌲" * 251 + ".txt",
        "\u0627\u0644\u062e\u0634\u0628.txt",
        "dab\u202etxt.exe.txt",
        "a\u0301\u0301\u0301.txt",
        "'; DROP TABLE files; --.txt",
        "../../etc/passwd.txt",
        "CON.txt",
        " .txt",
        "&lt;b&gt;.txt",
    ],
)
def test_names_of_every_alphabet_are_kept_exactly(receive: Receive, name: str) -> None:
    file = receive(name=name)
    file.refresh_from_db()
    assert file.name == name
    assert set(file.storage_key) <= set("0123456789abcdef/")


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "A file has no name."),
        (
            "木" * 252 + ".txt",
            f"“{'木' * 60}…” has a name of more than 255 characters. Shorten it.",
        ),
        ("a\nb.txt", "“a\ufffdb.txt” has control characters in its name. Rename it."),
        ("a\0.txt", "“a\ufffd.txt” has control characters in its name. Rename it."),
        ("a\x7f.txt", "“a\ufffd.txt” has control characters in its name. Rename it."),
        ("a\x85.txt", "“a\ufffd.txt” has control characters in its name. Rename it."),
        ("a\ud800.txt", "“a\ufffd.txt” has control characters in its name. Rename it."),
    ],
)
def test_an_invalid_name_is_refused_before_a_byte_is_stored(
    name: str, sentence: str, objects: Objects
) -> None:
    with pytest.raises(UploadRejected) as refusal:
        Upload(name=name)
    assert str(refusal.value) == sentence
    assert "\ud800" not in refusal.value.name
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.only_on("sqlite")
def test_an_empty_file_is_refused(objects: Objects) -> None:
    upload = Upload(name="empty.txt")
    with pytest.raises(UploadRejected, match=r"“empty\.txt” is empty\."):
        upload.finish()
    discard(upload)
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("name", "most", "limit"),
    [("a.jpg", 5 * 1024**2, "5 MB"), ("a.pdf", 5 * 1024**2, "5 MB"), ("a.txt", 1536, "1.5 kB")],
)
def test_the_size_limit_is_exact(settings: Settings, name: str, most: int, limit: str) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 1536
    upload = Upload(name=name)
    upload.write(bytes(most))
    with pytest.raises(UploadRejected) as refusal:
        upload.write(b"x")
    sentence = f"“{name}” is too large: a file like this may have {limit}."
    assert (str(refusal.value), refusal.value.error) == (sentence, TooLarge)
    discard(upload)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("size", "words"),
    [(1000, "1000 bytes"), (1024, "1 kB"), (5 * 1024**2, "5 MB"), (10 * 1024**3, "10 GB")],
)
def test_sizes_are_formatted(size: int, words: str) -> None:
    assert format_size(size) == words


@pytest.mark.only_on("sqlite")
def test_a_file_of_no_known_kind_is_refused_by_name(finish_upload: FinishUpload) -> None:
    with pytest.raises(UploadRejected) as refusal:
        finish_upload(b"MZ\x90", name="setup.exe").identify()
    assert str(refusal.value) == (
        "“setup.exe” is not accepted: files ending in “.exe” cannot be read here."
    )


def test_a_user_without_the_permission_has_no_file_accepted(
    finish_upload: FinishUpload, make_user: Callable[..., User]
) -> None:
    received = finish_upload()
    with pytest.raises(Forbidden):
        accept(make_user(role="viewer"), received)
    lapsed = make_user()
    lapsed.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    with pytest.raises(Lapsed):
        accept(lapsed, received)
    assert File.unscoped.get().status == File.Status.RECEIVING


def test_a_file_cannot_be_put_into_another_clients_consignment_or_log(
    finish_upload: FinishUpload, owner: User
) -> None:
    other = UserFactory(client=ClientFactory())
    consignment = Consignment.objects.create(
        client=other.client, name="Theirs", type="hardwood", created_by=other
    )
    log = Log.objects.create(
        client=other.client,
        consignment=consignment,
        barcode="TB-1",
        length=4,
        breadth=30,
        height=30,
        volume="0.360",
    )
    received = finish_upload()
    received.identify()
    assert owner.client is not None
    for place, sentence in (
        ({"consignment": consignment}, "There is no such consignment."),
        ({"log": log}, "There is no such log."),
    ):
        with pytest.raises(NotFound) as refusal:
            accept_files(actor=owner, client=owner.client, uploads=[received], **place)
        assert str(refusal.value) == sentence


# --- Duplicates ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_same_readings_are_accepted_once(
    receive: Receive, finish_upload: FinishUpload, owner: User, objects: Objects
) -> None:
    first = receive(READINGS, name="a.csv")
    [second] = accept(owner, finish_upload(READINGS, name="b.csv"))
    assert (second.file, second.duplicate) == (first, True)
    assert File.unscoped.count() == 1
    assert OutboxEvent.objects.count() == 1
    assert objects() == {first.storage_key}


def test_duplicates_in_one_batch_are_one_file(finish_upload: FinishUpload, owner: User) -> None:
    accepted = accept(
        owner, finish_upload(READINGS, name="a.csv"), finish_upload(READINGS, name="b.csv")
    )
    assert [one.duplicate for one in accepted] == [False, True]
    assert accepted[0].file == accepted[1].file


def test_the_same_bytes_of_other_clients_are_separate_files(finish_upload: FinishUpload) -> None:
    owners = [UserFactory(client=ClientFactory()) for _ in range(4)]
    files = {}
    for owner in owners:
        [first] = accept(owner, finish_upload(READINGS, name="a.csv"))
        assert not first.duplicate
        files[owner] = first.file
    for owner, file in files.items():
        [again] = accept(owner, finish_upload(READINGS, name="b.csv"))
        assert (again.file, again.duplicate) == (file, True)


def test_the_same_bytes_of_another_kind_are_separate_files(receive: Receive) -> None:
    assert receive(READINGS, name="a.csv") != receive(READINGS, name="a.csv", kind="text")


def test_readings_that_failed_or_were_deleted_are_accepted_again(receive: Receive) -> None:
    for change in ({"status": "FAILURE"}, {"deleted_at": timezone.now()}):
        file = receive(READINGS, name="a.csv")
        File.unscoped.filter(pk=file.pk).update(live_digest=None, **change)
    assert receive(READINGS, name="a.csv").live_digest == file.sha256


@pytest.mark.django_db(transaction=True)
def test_duplicates_that_arrive_at_the_same_time_are_one_file(
    owner: User, finish_upload: FinishUpload, objects: Objects
) -> None:
    uploads = [finish_upload(READINGS, name=f"{number}.csv") for number in range(8)]
    outcomes = [one for [one] in at_once(8, lambda number: accept(owner, uploads[number]))]
    assert sorted(one.duplicate for one in outcomes) == [False] + [True] * 7
    assert len({one.file.pk for one in outcomes}) == 1
    [file] = File.unscoped.all()
    assert objects() == {file.storage_key}
    assert OutboxEvent.objects.count() == 1
