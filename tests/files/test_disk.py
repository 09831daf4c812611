"""A disk that is nearly full takes no more uploads, and a full one makes accepted files wait."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from pytest_django.fixtures import Settings

from tests.clients import api_client_of
from tests.files.conftest import Objects, Receive, UseReader
from timba.accounts.models import User
from timba.api.problems import describe_error
from timba.errors import DiskFull
from timba.files import disk
from timba.files.disk import check_disk_space
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, discard
from timba.files.scheduling import Slots

pytestmark = pytest.mark.django_db

FULL = "The server's disk is nearly full: nothing can be added until there is space again."
MORE_THAN_ANY_DISK = 1024**6


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("url", "field"), [("/api/upload/", "files"), ("/api/files/", "file"), ("/upload/", "file")]
)
def test_an_upload_is_503_before_a_byte_is_stored(
    url: str, field: str, owner: User, settings: Settings, objects: Objects
) -> None:
    settings.TIMBA_MIN_FREE_BYTES = MORE_THAN_ANY_DISK
    form = {field: SimpleUploadedFile("a.csv", b"7,21.5,2026-01-01T00:00:00Z\n")}
    response: Any = api_client_of(owner).post(url, form, format="multipart")
    assert (response.status_code, response.json()["detail"]) == (503, FULL)
    assert response["Retry-After"] == "60"
    assert not File.unscoped.exists()
    assert objects() == set()


@pytest.mark.parametrize("size", [-1, 0, MORE_THAN_ANY_DISK])
def test_without_a_disk_of_its_own_every_size_is_accepted(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(disk, "_filled_disks", dict)  # as with S3 and PostgreSQL
    check_disk_space(size)


def test_an_upload_does_not_begin_and_does_not_go_on_with_too_little_space(
    settings: Settings, objects: Objects
) -> None:
    settings.TIMBA_MIN_FREE_BYTES = MORE_THAN_ANY_DISK
    with pytest.raises(DiskFull, match=FULL):
        Upload(name="a.txt")
    settings.TIMBA_MIN_FREE_BYTES = 0
    upload = Upload(name="a.txt")
    upload.write(b"larch")
    settings.TIMBA_MIN_FREE_BYTES = MORE_THAN_ANY_DISK
    with pytest.raises(DiskFull, match=FULL):
        upload.write(bytes(256 * 1024))
    discard(upload)
    assert objects() == set()
    assert not File.unscoped.exists()


@pytest.mark.only_on("postgresql", "mysql")
def test_files_in_s3_and_rows_on_a_server_need_no_space_here(settings: Settings) -> None:
    options = {"endpoint": "http://127.0.0.1:9", "key": "k", "secret": "s", "bucket": "timba"}
    s3 = {"BACKEND": "timba.files.s3.S3Storage", "OPTIONS": {**options, "region": "us-east-1"}}
    settings.STORAGES = {**settings.STORAGES, "default": s3}
    settings.TIMBA_MIN_FREE_BYTES = MORE_THAN_ANY_DISK
    check_disk_space()


def test_a_nearly_full_disk_is_degraded(
    settings: Settings, client: Any, health_forgets: None
) -> None:
    settings.TIMBA_MIN_FREE_BYTES = MORE_THAN_ANY_DISK
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"]["storage"] == "full"


@pytest.mark.only_on("sqlite")
def test_a_full_disk_is_503_wherever_it_is_noticed() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    rows_full = OperationalError("database or disk is full")
    rows_full.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[attr-defined]
    for error in (full, rows_full):
        response = describe_error(error)
        assert response is not None
        assert (response.status, response.sentence) == (503, FULL)
        assert response.headers == {"Retry-After": "60"}


# --- Accepted files ------------------------------------------------------------------------------


def test_a_file_waits_while_there_is_no_space_for_its_results(
    receive: Receive, use_reader: UseReader
) -> None:
    def fill_the_disk(_: object) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = receive()
    use_reader(fill_the_disk)
    assert process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.attempts) == ("PENDING", 0)
    assert not process_file(file.pk)  # not at once: its lease ends in seconds
    File.unscoped.filter(pk=file.pk).update(lease_until=None)
    use_reader(lambda _: {"lines": 1})
    assert process_file(file.pk)
    file.refresh_from_db()
    assert file.status == "SUCCESS"


def test_a_worker_begins_no_file_on_a_full_disk(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_WORKING_BYTES", MORE_THAN_ANY_DISK)
        assert Slots(1).claim(0) is None
    assert Slots(1).claim(0) == file
