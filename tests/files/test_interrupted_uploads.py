"""An upload that is cut off, by a full disk, a crash or the sweeper, loses no accepted file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from tests.files.conftest import FinishUpload, Objects, accept
from timba.accounts.models import User
from timba.errors import DiskFull, Unavailable
from timba.events.models import OutboxEvent
from timba.files import receiving
from timba.files.models import File
from timba.files.receiving import (
    STORAGE_UNAVAILABLE,
    TOOK_TOO_LONG,
    Upload,
    discard,
    touch_uploads,
)
from timba.files.sweeping import sweep_files

pytestmark = pytest.mark.django_db


class PowerCut(BaseException):
    """Nothing runs after this: no handler of an expected failure catches it."""


# --- Storage unavailable --------------------------------------------------------------------------


def disk_is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.only_on("sqlite")
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(name="a.txt")
    upload.write(b"larch")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_is_full)
        with pytest.raises(DiskFull) as error:
            upload.finish()
    assert str(error.value) == (
        "The server's disk is nearly full: nothing can be added until there is space again."
    )
    discard(upload)
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.only_on("sqlite")
def test_a_store_that_cannot_be_opened_is_a_sentence(store_folder: Path) -> None:
    store_folder.write_bytes(b"a file where the folder should be")
    with pytest.raises(Unavailable) as error:
        Upload(name="a.txt")
    assert str(error.value) == STORAGE_UNAVAILABLE


@pytest.mark.only_on("sqlite")
def test_an_upload_that_cannot_be_discarded_now_is_left_to_the_sweeper(
    finish_upload: FinishUpload, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = finish_upload()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", disk_is_full)
        discard(received)
    assert File.unscoped.filter(pk=received.row.pk).exists()
    age(received.row)
    sweep_files()
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.only_on("sqlite")
def test_bytes_that_arrive_after_their_row_was_swept_are_discarded(
    finish_upload: FinishUpload, objects: Objects
) -> None:
    received = finish_upload()
    File.unscoped.all().delete()
    discard(received)
    assert objects() == set()


def test_an_accepted_file_is_not_discarded(
    finish_upload: FinishUpload, owner: User, objects: Objects
) -> None:
    upload = finish_upload()
    [accepted] = accept(owner, upload)
    discard(upload)
    assert File.unscoped.get().status == File.Status.PENDING
    assert objects() == {accepted.file.storage_key}


# --- Crashes -------------------------------------------------------------------------------------


def age(row: File, **more: object) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    File.unscoped.filter(pk=row.pk).update(touched_at=long_ago, **more)


def dies_at(patch: pytest.MonkeyPatch, place: object, name: str, *, call: int = 1) -> None:
    """Simulate a power failure at a call of a system function, before it does anything."""
    real = getattr(place, name)
    calls = iter(range(1, 100))

    def cut(*args: object, **kwargs: object) -> object:
        if next(calls) == call:
            raise PowerCut
        return real(*args, **kwargs)

    patch.setattr(place, name, cut)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("place", "name", "call"),
    [
        (Path, "open", 1),  # the intent row is there, its object is not
        (os, "fsync", 1),  # bytes are written, perhaps, and not yet synced
        (Path, "mkdir", 1),  # bytes are synced, without their final name
        (os, "link", 1),  # the same
        (Path, "unlink", 1),  # bytes have both names
        (os, "fsync", 2),  # bytes have their final name, in a folder not yet synced
        (os, "fsync", 3),  # the same
        (receiving, "publish", 1),  # in the transaction that accepts, before it commits
    ],
)
# What is cut off closes nothing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_crash_anywhere_leaves_a_row_that_names_the_object(
    owner: User,
    finish_upload: FinishUpload,
    objects: Objects,
    monkeypatch: pytest.MonkeyPatch,
    place: object,
    name: str,
    call: int,
) -> None:
    discard(finish_upload())  # the store's own folders are there
    with monkeypatch.context() as patch:
        dies_at(patch, place, name, call=call)
        with pytest.raises(PowerCut):
            accept(owner, finish_upload())
    [row] = File.unscoped.all()
    assert row.status == File.Status.RECEIVING
    assert {key.split("/")[1] for key in objects()} <= {row.storage_key.split("/")[1]}
    assert not OutboxEvent.objects.exists()
    sweep_files()
    assert File.unscoped.exists(), "an upload that may still go on was swept"
    age(row)
    sweep_files()
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_bytes_and_directories_are_on_disk_before_the_row_is_committed(
    owner: User, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def note(place: object, name: str, say: Callable[..., str]) -> None:
        real = getattr(place, name)

        def noted(*args: object) -> object:
            outcome = real(*args)
            order.append(say(*args))
            return outcome

        monkeypatch.setattr(place, name, noted)

    def synced(descriptor: int) -> str:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        return f"fsync {target.relative_to(store_folder.parent)}"

    upload = Upload(name="a.txt")
    upload.write(b"larch")
    note(os, "fsync", synced)
    note(os, "link", lambda source, target: f"link {Path(target).relative_to(store_folder)}")
    note(connection, "_commit", lambda: "commit")
    upload.finish()
    [accepted] = accept(owner, upload)
    key = accepted.file.storage_key
    folder, name = key.split("/")
    assert order == [
        f"fsync store/unfinished/{name}",
        f"link {key}",
        f"fsync store/{folder}",
        "fsync store",
        "commit",
    ]


# --- Slow uploads --------------------------------------------------------------------------------


def test_an_upload_in_progress_is_not_swept(finish_upload: FinishUpload) -> None:
    received = finish_upload()
    age(received.row)
    touch_uploads([received.row.pk])
    sweep_files()
    assert File.unscoped.exists()


def test_an_upload_that_was_swept_cannot_be_accepted(
    finish_upload: FinishUpload, owner: User, objects: Objects
) -> None:
    first, second = finish_upload(), finish_upload()
    age(second.row)
    sweep_files()
    with pytest.raises(Unavailable) as refusal:
        accept(owner, first, second)
    assert str(refusal.value) == TOOK_TOO_LONG
    [left] = File.unscoped.all()
    assert (left.pk, left.status) == (first.row.pk, File.Status.RECEIVING)


def test_an_upload_that_is_being_swept_cannot_be_accepted(
    finish_upload: FinishUpload, owner: User
) -> None:
    """The sweeper has marked it, and is deleting the bytes."""
    received = finish_upload()
    File.unscoped.filter(pk=received.row.pk).update(deleted_at=timezone.now())
    with pytest.raises(Unavailable):
        accept(owner, received)


def test_an_upload_whose_bytes_were_swept_cannot_be_finished() -> None:
    upload = Upload(name="a.txt")
    upload.write(b"larch")
    row = File.unscoped.get()
    age(row)
    sweep_files()
    with pytest.raises(Unavailable):
        upload.finish()
    assert not File.unscoped.exists()
