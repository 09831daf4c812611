"""What callers get while the object store is unavailable, and what is left afterwards.

On a VersityGW that is killed and stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.files.conftest import Receive
from tests.files.runs import let_an_hour_pass
from tests.servers import DedicatedServer, record_connections
from timba.accounts.models import User
from timba.config.env import parse_storage_url
from timba.errors import Unavailable
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, discard
from timba.files.s3 import PART_BYTES, S3Storage
from timba.files.storage import new_key, store
from timba.files.sweeping import sweep_files
from tools.servers.s3 import VersityGW

pytestmark = pytest.mark.django_db

READINGS = "7,21.50,2026-01-01T00:00:00Z\n7,22.50,2026-01-02T00:00:00Z\n"


@pytest.fixture(scope="module")
def own() -> Iterator[DedicatedServer]:
    with DedicatedServer(VersityGW()) as own:
        storage = S3Storage(**parse_storage_url(own.variables()["STORAGE_URL"]))
        storage.client.create_bucket(Bucket=storage.bucket)
        storage.client.close()
        yield own


@pytest.fixture
def s3(own: DedicatedServer, settings: Settings) -> Iterator[S3Storage]:
    """Configure that server as the object store."""
    options = parse_storage_url(own.variables()["STORAGE_URL"])
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "timba.files.s3.S3Storage", "OPTIONS": options},
    }
    looker = S3Storage(**options)
    yield looker
    looker.client.close()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


def objects_in(s3: S3Storage) -> set[str]:
    """Return the keys of all objects and of all uploads that are not completed."""
    listed = s3.client.list_objects_v2(Bucket=s3.bucket).get("Contents") or []
    begun = s3.client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads") or []
    return {one["Key"] for one in [*listed, *begun]}


def large_text() -> SimpleUploadedFile:
    return SimpleUploadedFile("tally.txt", b"larch and pine\n" * (PART_BYTES // 10))


def test_a_file_is_uploaded_processed_and_downloaded(s3: S3Storage, api_client: APIClient) -> None:
    sent = api_client.post("/api/files/", {"file": large_text()}, format="multipart").json()
    assert process_file(sent["id"])
    response = api_client.get(f"/api/files/{sent['id']}/content/", HTTP_RANGE="bytes=15-19")
    assert response.status_code == 206
    assert b"".join(response.streaming_content) == b"larch"
    assert api_client.get(f"/api/files/{sent['id']}/").json()["status"] == "SUCCESS"


@pytest.mark.parametrize("silent", [False, True])
def test_an_upload_is_refused_and_leaves_nothing(
    own: DedicatedServer,
    s3: S3Storage,
    api_client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,
) -> None:
    before = objects_in(s3)
    batch = [SimpleUploadedFile(f"{number}.txt", b"larch\n") for number in range(20)]
    if silent:
        own.pause()
    else:
        own.kill()
    with monkeypatch.context() as watched:
        called = record_connections(watched)
        response = api_client.post(
            "/api/upload/", {"files": [*batch, large_text()]}, format="multipart"
        )
    if silent:
        own.resume()
    else:
        own.start()
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["detail"] == "Files cannot be stored just now. Try again in a moment."
    assert len(called) <= 2, called
    assert api_client.get("/api/files/").json()["results"] == []
    let_an_hour_pass()
    sweep_files()
    assert not File.unscoped.exists()
    assert objects_in(s3) == before


def test_an_outage_in_the_middle_of_an_upload_leaves_nothing(
    own: DedicatedServer, s3: S3Storage
) -> None:
    before = objects_in(s3)
    upload = Upload(name="tally.txt")
    upload.write(b"x" * (2 * PART_BYTES))
    own.kill()
    with pytest.raises(Unavailable):
        upload.write(b"x" * PART_BYTES)
    discard(upload)
    own.start()
    assert len(objects_in(s3)) == len(before) + 1
    let_an_hour_pass()
    sweep_files()
    assert objects_in(s3) == before
    assert not File.unscoped.exists()


def test_the_parts_of_a_crashed_upload_are_swept(s3: S3Storage) -> None:
    before = objects_in(s3)
    row = File.unscoped.create(name="a.txt", storage_key=new_key())
    File.unscoped.update(touched_at=timezone.now() - timedelta(days=1))
    writer = store().create(row.storage_key)
    writer.write(b"x" * (2 * PART_BYTES))
    assert objects_in(s3) == before | {row.storage_key}
    sweep_files()
    assert objects_in(s3) == before
    assert not File.unscoped.exists()
    writer.abort()


def test_a_file_waits_for_the_store_and_does_not_fail(
    own: DedicatedServer, s3: S3Storage, receive: Receive
) -> None:
    files = [receive(), receive(READINGS, name="yard.csv")]
    own.kill()
    for file in files:
        before = timezone.now()
        assert process_file(file.pk)
        file.refresh_from_db()
        assert (file.status, file.attempts, file.error) == (File.Status.PENDING, 0, "")
        assert file.lease_until is not None
        assert before < file.lease_until < timezone.now() + timedelta(seconds=10)
    own.start()
    File.unscoped.update(lease_until=None)
    for file in files:
        assert process_file(file.pk)
        file.refresh_from_db()
        assert file.status == File.Status.SUCCESS


def test_only_statistics_that_need_the_store_are_refused(
    own: DedicatedServer, s3: S3Storage, settle: Receive, api_client: APIClient
) -> None:
    settle(READINGS, name="yard.csv")
    bounds = {"from": "2026-01-01T12:00:00Z"}
    own.kill()
    whole = api_client.get("/temperature-readings/7/")
    part = api_client.get("/temperature-readings/7/", bounds)
    own.start()
    assert (whole.status_code, whole.json()["count"]) == (200, 2)
    assert part.status_code == 503
    assert int(part.headers["Retry-After"]) > 0
    assert api_client.get("/temperature-readings/7/", bounds).json()["count"] == 1


@pytest.mark.usefixtures("health_forgets")
def test_health_says_that_the_store_is_down(
    own: DedicatedServer, s3: S3Storage, api_client: APIClient
) -> None:
    own.kill()
    down = api_client.get("/health/ready")
    own.start()
    assert down.status_code == 503
    assert down.json()["checks"]["storage"] == "down"
    assert api_client.get("/health/ready").json()["checks"]["storage"] == "ok"
