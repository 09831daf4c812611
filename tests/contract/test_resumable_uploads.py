"""Resumable uploads speak tus 1.0.0, and keep every rule of the form at `/api/files/`."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client as Browser
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.tus import CHUNK_TYPE, Tus, checksum, encoded
from tests.contract.uploads import FOUR_READINGS
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.files.resumable import parts, purging, services
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.purging import purge_expired
from timba.files.storage import store

pytestmark = pytest.mark.django_db
TEXT = b"Seal 88412 intact.\n" * 10
LARGE = b"%s\n" % (b"larch" * 10_000) * 20


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.TIMBA_DATA_DIR = tmp_path / "data"
    settings.TIMBA_DATA_DIR.mkdir()


@pytest.fixture
def tus(api_client: APIClient) -> Tus:
    return Tus(api_client)


def stored(file_id: str) -> bytes:
    with store().open_bytes(File.unscoped.get(pk=file_id).storage_key) as stream:
        return stream.read()


def part_names() -> set[str]:
    return {str(upload_id) for upload_id, _ in parts.files_in_folder()}


# --- The protocol --------------------------------------------------------------------------------


def test_options_tells_what_is_spoken(tus: Tus, settings: Settings) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 5_000
    response = tus.send("OPTIONS", "/api/files/tus/", **{"Tus-Resumable": None})
    assert response.status_code == 204
    assert response["Tus-Resumable"] == response["Tus-Version"] == "1.0.0"
    extensions = "creation,creation-with-upload,termination,checksum,expiration"
    assert response["Tus-Extension"] == extensions
    assert response["Tus-Max-Size"] == "5000"
    assert response["Tus-Checksum-Algorithm"] == "sha1,sha256,md5"


def test_a_file_in_three_parts(tus: Tus, api_client: APIClient) -> None:
    created = tus.create(len(TEXT))
    assert created.status_code == 201
    assert created["Tus-Resumable"] == "1.0.0"
    url = created["Location"]
    assert url == f"http://testserver/api/files/tus/{created.json()['id']}/"
    assert created.json()["upload_url"] == url.removeprefix("http://testserver")
    assert tus.offset(url) == 0
    for begin, end in ((0, 50), (50, 51)):
        response = tus.patch(url, begin, TEXT[begin:end])
        assert response.status_code == 204
        assert response["Upload-Offset"] == str(end)
        assert "Timba-File-Id" not in response
        head = tus.send("HEAD", url)
        assert head["Upload-Offset"] == str(end)
        assert head["Upload-Length"] == str(len(TEXT))
        assert head["Upload-Metadata"] == encoded(filename="gate.txt")
        assert head["Cache-Control"] == "no-store"
    last = tus.patch(url, 51, TEXT[51:])
    assert last.status_code == 204
    assert last["Upload-Offset"] == str(len(TEXT))
    file = api_client.get(f"/api/files/{last['Timba-File-Id']}/").json()
    assert last["Timba-Task-Id"] == file["task_id"]
    assert (file["name"], file["kind"], file["status"]) == ("gate.txt", "text", "PENDING")
    assert stored(file["id"]) == TEXT
    assert part_names() == set()


def test_the_ids_are_found_again_after_a_lost_response(tus: Tus) -> None:
    url = tus.url(len(TEXT))
    last = tus.patch(url, 0, TEXT)
    for again in (
        tus.send("HEAD", url),
        tus.patch(url, len(TEXT), b"", **{"Content-Type": CHUNK_TYPE}),
    ):
        assert again["Timba-File-Id"] == last["Timba-File-Id"]
        assert again["Upload-Offset"] == str(len(TEXT))
    assert File.unscoped.count() == 1


def test_the_creation_takes_the_first_bytes(tus: Tus) -> None:
    created = tus.create(len(TEXT), TEXT[:40])
    assert created["Upload-Offset"] == "40"
    whole = tus.create(len(TEXT), TEXT, filename="whole.txt")
    assert (whole.status_code, whole["Upload-Offset"]) == (201, str(len(TEXT)))
    assert stored(whole["Timba-File-Id"]) == TEXT


def test_a_complete_upload_takes_nothing_more(tus: Tus) -> None:
    url = tus.url(len(TEXT))
    tus.patch(url, 0, TEXT)
    for offset in (0, len(TEXT) + 1):
        sentence = f"The upload goes on at byte {len(TEXT)}: send Upload-Offset: {len(TEXT)}."
        assert assert_problem(tus.patch(url, offset, b"x"), 409)["detail"] == sentence
    assert_problem(tus.patch(url, len(TEXT), b"", **{"Content-Type": "text/plain"}), 415)
    sentence = f"“gate.txt” was announced with {len(TEXT)} bytes."
    assert assert_problem(tus.patch(url, len(TEXT), b"x"), 413)["detail"] == sentence


def test_an_upload_is_absent_once_its_file_is_deleted(tus: Tus, api_client: APIClient) -> None:
    url = tus.url(len(TEXT))
    file_id = tus.patch(url, 0, TEXT)["Timba-File-Id"]
    api_client.delete(f"/api/files/{file_id}/")
    assert tus.send("HEAD", url).status_code == 404
    assert_problem(tus.patch(url, len(TEXT), b"", **{"Content-Type": CHUNK_TYPE}), 404)


def test_a_repeated_creation_creates_nothing(tus: Tus) -> None:
    key = {"Idempotency-Key": "gate-1"}
    first = tus.create(len(TEXT), TEXT[:40], headers=key)
    again = tus.create(len(TEXT), TEXT[:40], headers=key)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert again["Upload-Offset"] == "40"
    assert ResumableUpload.unscoped.count() == 1
    other = tus.create(len(TEXT) + 1, headers=key)
    problem = assert_problem(other, 409)
    assert problem["detail"] == "This Idempotency-Key was used for another request."


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", ""])
def test_another_version_is_412(tus: Tus, version: str | None) -> None:
    url = tus.url(3)
    for method, path in (
        ("POST", "/api/files/tus/"),
        ("PATCH", url),
        ("DELETE", url),
        ("HEAD", url),
    ):
        response = tus.send(method, path, **{"Tus-Resumable": version})
        assert response.status_code == 412
        assert response["Tus-Version"] == "1.0.0"
    assert_problem(tus.send("PATCH", url, **{"Tus-Resumable": version}), 412)


def test_another_offset_is_409_and_writes_nothing(tus: Tus) -> None:
    url = tus.url(len(TEXT))
    tus.patch(url, 0, TEXT[:10])
    for offset in (0, 9, 11, len(TEXT)):
        problem = assert_problem(tus.patch(url, offset, b"x"), 409)
        sentence = "The upload goes on at byte 10: send Upload-Offset: 10."
        assert problem["detail"] == sentence
    assert tus.offset(url) == 10


@pytest.mark.parametrize("offset", [None, "", "-1", "1.5", "x", "٣", "9" * 20])
def test_what_is_no_offset_is_400(tus: Tus, offset: str | None) -> None:
    response = tus.send("PATCH", tus.url(3), b"a", **{"Upload-Offset": offset})
    assert assert_problem(response, 400)["detail"] == "Send Upload-Offset: a number of bytes."


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "multipart/form-data"])
def test_another_content_type_is_415(tus: Tus, content_type: str) -> None:
    types = {"Content-Type": content_type}
    assert_problem(tus.patch(tus.url(3), 0, b"abc", **types), 415)
    assert_problem(tus.create(3, b"abc", headers=types), 415)
    assert ResumableUpload.unscoped.count() == 1


def test_more_bytes_than_announced_are_413(tus: Tus) -> None:
    url = tus.url(5)
    problem = assert_problem(tus.patch(url, 0, b"abcdef"), 413)
    assert problem["detail"] == "“gate.txt” was announced with 5 bytes."
    assert tus.offset(url) == 0


def test_more_chunked_bytes_than_announced_are_413(tus: Tus) -> None:
    url = tus.url(5)
    environ = {
        "wsgi.input": io.BytesIO(b"abcdef"),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": CHUNK_TYPE,
    }
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    assert_problem(tus.client.patch(url, headers=headers, **environ), 413)
    environ["wsgi.input"] = io.BytesIO(b"abcde")
    response = tus.client.patch(url, headers=headers, **environ)
    assert (response.status_code, response["Upload-Offset"]) == (204, "5")


def test_a_deleted_upload_is_absent(tus: Tus) -> None:
    url = tus.url(len(TEXT))
    tus.patch(url, 0, TEXT[:10])
    assert len(part_names()) == 1
    assert tus.send("DELETE", url).status_code == 204
    assert part_names() == set()
    assert tus.send("HEAD", url).status_code == 404
    assert_problem(tus.patch(url, 10, TEXT[10:]), 404)
    assert_problem(tus.send("DELETE", url), 404)


def test_a_file_outlives_its_upload(tus: Tus, api_client: APIClient) -> None:
    url = tus.url(len(TEXT))
    file_id = tus.patch(url, 0, TEXT)["Timba-File-Id"]
    assert tus.send("DELETE", url).status_code == 204
    assert api_client.get(f"/api/files/{file_id}/").status_code == 200
    assert part_names() == set()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_checksum_that_does_not_match_discards_its_chunk(tus: Tus, algorithm: str) -> None:
    url = tus.url(len(TEXT))
    assert tus.patch(url, 0, TEXT[:30], **checksum(algorithm, TEXT[:30])).status_code == 204
    response = tus.patch(url, 30, TEXT[30:60], **checksum(algorithm, b"others"))
    assert response.status_code == 460
    assert response.json()["title"] == "Checksum Mismatch"
    assert tus.offset(url) == 30
    last = tus.patch(url, 30, TEXT[30:], **checksum(algorithm, TEXT[30:]))
    assert stored(last["Timba-File-Id"]) == TEXT


@pytest.mark.parametrize("header", ["crc32 AAAA", "sha1", "sha1 AAAA", "sha1 *", ""])
def test_a_checksum_that_cannot_be_read_is_400(tus: Tus, header: str) -> None:
    url = tus.url(3)
    assert_problem(tus.patch(url, 0, b"abc", **{"Upload-Checksum": header}), 400)
    assert tus.offset(url) == 0


class BreaksOff(io.BytesIO):
    """A body that fails after its last byte."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise OSError
        return data


@pytest.mark.parametrize("kind_of_end", [BreaksOff, io.BytesIO])
def test_what_arrived_of_a_body_that_broke_off_is_kept(tus: Tus, kind_of_end: Any) -> None:
    url = tus.url(len(LARGE))
    environ = {"CONTENT_LENGTH": str(len(LARGE)), "CONTENT_TYPE": CHUNK_TYPE}
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    body = kind_of_end(LARGE[:700_001])
    response = tus.client.patch(url, headers=headers, **environ, **{"wsgi.input": body})
    sentence = "The body broke off before its end. Ask for the upload's offset, and go on there."
    assert assert_problem(response, 400)["detail"] == sentence
    assert tus.offset(url) == 700_001
    assert stored(tus.patch(url, 700_001, LARGE[700_001:])["Timba-File-Id"]) == LARGE


def test_what_arrived_of_a_body_with_a_checksum_is_not(tus: Tus) -> None:
    url = tus.url(len(LARGE))
    environ = {"CONTENT_LENGTH": str(len(LARGE)), "CONTENT_TYPE": CHUNK_TYPE}
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", **checksum("sha1", LARGE)}
    body = BreaksOff(LARGE[:700_001])
    response = tus.client.patch(url, headers=headers, **environ, **{"wsgi.input": body})
    assert_problem(response, 400)
    assert tus.offset(url) == 0


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_the_method_may_be_a_header(tus: Tus, method: str) -> None:
    url = tus.url(3)
    headers = {"X-HTTP-Method-Override": method, "Upload-Offset": "0"}
    response = tus.send("POST", url, b"abc" if method == "PATCH" else b"", **headers)
    assert response.status_code == (200 if method == "HEAD" else 204)
    assert ResumableUpload.unscoped.filter(file=None).exists() == (method == "HEAD")


def test_a_get_cannot_be_overridden(tus: Tus) -> None:
    url = tus.url(3)
    assert_problem(tus.send("GET", url, **{"X-HTTP-Method-Override": "DELETE"}), 405)


# --- Expiry --------------------------------------------------------------------------------------


def test_an_upload_expires_a_day_after_its_last_byte(tus: Tus) -> None:
    def expiry(response: Any) -> datetime:
        text = response["Upload-Expires"]
        return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)

    day, url = timedelta(hours=24), tus.url(len(TEXT))
    ResumableUpload.unscoped.update(expires_at=timezone.now() + timedelta(minutes=1))
    begin = timezone.now().replace(microsecond=0)
    assert begin + day <= expiry(tus.patch(url, 0, TEXT[:10])) <= timezone.now() + day
    purge_expired()
    assert tus.offset(url) == 10
    ResumableUpload.unscoped.update(expires_at=timezone.now())
    purge_expired()
    assert tus.send("HEAD", url).status_code == 404
    assert part_names() == set()


def test_bytes_without_a_row_are_deleted(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    tus.patch(tus.url(len(TEXT)), 0, TEXT[:10])
    ResumableUpload.unscoped.all().delete()
    purge_expired()
    assert len(part_names()) == 1, "it may have been made a moment ago"
    monkeypatch.setattr(purging, "_FORGOTTEN_AFTER", timedelta(days=-1))
    purge_expired()
    assert part_names() == set()


def test_uploads_of_a_machine_that_is_gone_are_forgotten(tus: Tus) -> None:
    tus.url(len(TEXT))
    rows = ResumableUpload.unscoped.all()
    rows.update(folder_id="0d4f3f0e-8c51-4c0a-9d0e-2f6b8f3f7a10", expires_at=timezone.now())
    purge_expired()
    assert rows.exists()
    rows.update(expires_at=timezone.now() - timedelta(days=7))
    purge_expired()
    assert not rows.exists()


# --- Requests at once ----------------------------------------------------------------------------


def test_a_request_that_was_left_behind_writes_nothing_more(tus: Tus) -> None:
    url = tus.url(len(LARGE))

    class Overtaken(BreaksOff):
        """A body during which the caller has resumed on another connection."""

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 600_000 and tus.offset(url) < 700_000:
                reached = tus.offset(url)
                assert tus.patch(url, reached, LARGE[reached:700_000]).status_code == 204
            return super().read(size)

    environ = {"CONTENT_LENGTH": str(len(LARGE)), "CONTENT_TYPE": CHUNK_TYPE}
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    body = Overtaken(b"x" * len(LARGE))
    first = tus.client.patch(url, headers=headers, **environ, **{"wsgi.input": body})
    sentence = "Another request has continued this upload: ask for its offset."
    assert assert_problem(first, 409)["detail"] == sentence
    assert tus.offset(url) == 700_000


def test_a_chunk_with_a_checksum_that_was_left_behind_is_taken_over(tus: Tus) -> None:
    url = tus.url(len(LARGE))

    class Overtaken(BreaksOff):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 600_000 and not File.unscoped.exists():
                assert tus.offset(url) == 0
                assert tus.patch(url, 0, LARGE).status_code == 204
            return super().read(size)

    others = b"x" * len(LARGE)
    environ = {"CONTENT_LENGTH": str(len(LARGE)), "CONTENT_TYPE": CHUNK_TYPE}
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", **checksum("sha1", others)}
    body = Overtaken(others)
    response = tus.client.patch(url, headers=headers, **environ, **{"wsgi.input": body})
    # What it wrote to has become a file meanwhile.
    end = f"The upload goes on at byte {len(LARGE)}: send Upload-Offset: {len(LARGE)}."
    assert assert_problem(response, 409)["detail"] == end
    assert stored(tus.send("HEAD", url)["Timba-File-Id"]) == LARGE


def test_an_upload_that_is_being_stored_is_423(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    url = tus.url(len(TEXT))
    tus.patch(url, 0, TEXT[:10])
    monkeypatch.setattr(parts, "_LOCK_WAIT_SECONDS", 0.0)
    part = parts.PartFile(ResumableUpload.unscoped.get().pk)
    with part.locked():
        assert tus.send("HEAD", url).status_code == 423
        problem = assert_problem(tus.patch(url, 10, TEXT[10:]), 423)
        sentence = "Another request is just working on this: try again in a moment."
        assert problem["detail"] == sentence
    part.close()
    assert tus.offset(url) == 10


def test_another_machine_says_that_it_has_no_bytes(
    tus: Tus, settings: Settings, tmp_path: Path
) -> None:
    url = tus.url(len(TEXT))
    tus.patch(url, 0, TEXT[:10])
    here, settings.TIMBA_DATA_DIR = settings.TIMBA_DATA_DIR, tmp_path
    problem = assert_problem(tus.patch(url, 10, TEXT[10:]), 503)
    assert problem["detail"] == (
        "This upload was begun on another machine, whose folder “uploads-in-parts” this one does "
        "not share. Send it again."
    )
    settings.TIMBA_DATA_DIR = here
    assert tus.offset(url) == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("PATCH", 204), ("DELETE", 204)])
def test_a_request_waits_while_the_last_bytes_are_stored(
    tus: Tus, owner: User, monkeypatch: pytest.MonkeyPatch, method: str, status: int
) -> None:
    url, other = tus.url(len(TEXT)), Tus(api_client_of(owner))
    store_bytes, responses = services._store, []

    def send() -> None:
        headers = {"Content-Type": CHUNK_TYPE, "Upload-Offset": str(len(TEXT))}
        responses.append(other.send(method, url, **headers))
        connections.close_all()

    def store_while_another_request_waits(*args: Any) -> File:
        request = threading.Thread(target=send)
        threads.append(request)
        request.start()
        is_opened.wait(60)
        return store_bytes(*args)

    threads: list[threading.Thread] = []
    is_opened, open_part = threading.Event(), parts.PartFile.locked

    def locked(part: parts.PartFile) -> Any:
        if threads and threading.current_thread() is threads[0]:
            is_opened.set()
        return open_part(part)

    monkeypatch.setattr(services, "_store", store_while_another_request_waits)
    monkeypatch.setattr(parts.PartFile, "locked", locked)
    file_id = tus.patch(url, 0, TEXT)["Timba-File-Id"]
    threads[0].join()
    [response] = responses
    assert response.status_code == status
    assert response.get("Timba-File-Id") == (None if method == "DELETE" else file_id)
    assert File.unscoped.count() == 1


def test_two_purges_at_once_delete_an_upload_once(
    tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    tus.url(len(TEXT))
    ResumableUpload.unscoped.update(expires_at=timezone.now())
    delete = parts.PartFile.delete

    def delete_and_purge(part: parts.PartFile) -> None:
        delete(part)
        monkeypatch.setattr(parts.PartFile, "delete", delete)
        purge_expired()

    monkeypatch.setattr(parts, "_LOCK_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(parts.PartFile, "delete", delete_and_purge)
    purge_expired()
    assert not ResumableUpload.unscoped.exists()
    assert part_names() == set()


# --- The rules of the form -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "length", "status"),
    [
        ({"filename": "a.exe"}, 5, 400),
        ({"filename": "a\nb.txt"}, 5, 400),
        ({"filename": "a.txt", "kind": "photo"}, 5, 400),
        ({"filename": "a.txt"}, 0, 400),
        ({"filename": "a.jpg"}, 5 * 1024**2 + 1, 413),
        ({"filename": "a.txt"}, 10 * 1024**3 + 1, 413),
    ],
)
def test_what_the_form_refuses_is_refused_alike(
    tus: Tus, texts: dict[str, str], length: int, status: int
) -> None:
    created = tus.create(length, **texts)
    problem = assert_problem(created, status)
    assert not ResumableUpload.unscoped.exists()
    if length == 5 and texts["filename"] != "a\nb.txt":
        form = io.BytesIO(b"abcde")
        form.name = texts["filename"]
        fields = {"file": form, **{k: v for k, v in texts.items() if k != "filename"}}
        refused = tus.client.post("/api/files/", fields, format="multipart").json()
        assert problem == refused


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("kind", "nonsense", 400),
        ("city_id", "0", 400),
        ("dry_run", "perhaps", 400),
        ("read_as", "{", 400),
        ("consignment_id", "x", 400),
        ("consignment_id", "8000000", 404),
        ("log_id", "8000000", 404),
        ("client_id", "8000000", 404),
        ("filename", "a\0b.txt", 400),
    ],
)
def test_a_field_that_is_not_valid_is_refused_at_the_creation(
    tus: Tus, field: str, value: str, status: int
) -> None:
    assert_problem(tus.create(5, **{field: value}), status)
    assert not ResumableUpload.unscoped.exists()


@pytest.mark.parametrize(
    "metadata", ["", "filename", "filename *", "filename /w==", "filename YQ==,filename YQ=="]
)
def test_metadata_that_name_no_file_are_400(tus: Tus, metadata: str) -> None:
    headers = {"Upload-Length": "5", "Upload-Metadata": metadata}
    assert_problem(tus.send("POST", "/api/files/tus/", **headers), 400)


@pytest.mark.parametrize("headers", [{}, {"Upload-Defer-Length": "1"}, {"Upload-Length": "x"}])
def test_an_upload_without_a_length_is_400(tus: Tus, headers: dict[str, str]) -> None:
    metadata = {"Upload-Metadata": encoded(filename="a.txt")}
    assert_problem(tus.send("POST", "/api/files/tus/", **metadata, **headers), 400)


def test_a_piece_of_a_file_is_no_upload(tus: Tus) -> None:
    response = tus.create(5, headers={"Upload-Concat": "partial"})
    sentence = "Upload-Concat is not supported: send the file in one upload."
    assert assert_problem(response, 400)["detail"] == sentence


def test_a_name_is_its_last_component(tus: Tus, api_client: APIClient) -> None:
    for name in ("C:\\yard\\a.txt", "../../a.txt"):
        last = tus.patch(tus.url(3, filename=name), 0, b"abc")
        assert api_client.get(f"/api/files/{last['Timba-File-Id']}/").json()["name"] == "a.txt"


def test_a_file_is_linked_and_read_as_its_metadata_say(
    tus: Tus, api_client: APIClient, consignment: Consignment, process_pending: ProcessPending
) -> None:
    readings = b"at;temperature\n2026-01-01T12:00:00Z;21.5\n"
    texts = {"filename": "yard.csv", "city_id": "7", "consignment_id": str(consignment.pk)}
    url = tus.url(len(readings), kind="temperatures", **texts)
    file_id = tus.patch(url, 0, readings)["Timba-File-Id"]
    process_pending()
    file = api_client.get(f"/api/files/{file_id}/").json()
    assert (file["status"], file["consignment_id"]) == ("SUCCESS", consignment.pk)
    assert api_client.get("/temperature-readings/7/").json()["count"] == 1


def test_only_a_tally_is_a_dry_run_where_its_metadata_say_tally_dry_run(
    tus: Tus, api_client: APIClient
) -> None:
    for kind, is_dry_run in (("text", False), ("tally", True)):
        url = tus.url(len(TEXT), filename="a.csv", kind=kind, tally_dry_run="true")
        file_id = tus.patch(url, 0, TEXT)["Timba-File-Id"]
        file = api_client.get(f"/api/files/{file_id}/").json()
        assert (file["kind"], file.get("dry_run", False)) == (kind, is_dry_run)


def test_a_twin_of_readings_gets_the_first_ones_ids(tus: Tus) -> None:
    first, twin = (
        tus.patch(tus.url(len(FOUR_READINGS), filename=name), 0, FOUR_READINGS.encode())
        for name in ("a.csv", "b.csv")
    )
    assert twin["Timba-File-Id"] == first["Timba-File-Id"]
    assert twin["Timba-Task-Id"] == first["Timba-Task-Id"]
    assert twin["Timba-Duplicate"] == "true"
    assert "Timba-Duplicate" not in first
    assert File.unscoped.live().get().name == "a.csv"


def test_bytes_of_another_kind_are_rejected_as_soon_as_they_are_there(tus: Tus) -> None:
    url = tus.url(1_000_000)
    problem = assert_problem(tus.patch(url, 0, b"%PDF-1.7" + b"\0" * 70_000), 400)
    sentence = "“gate.txt” is not accepted: its name ends in “.txt”, but its bytes are a PDF."
    assert problem["errors"] == {"file": [sentence]}
    assert tus.send("HEAD", url).status_code == 404
    assert part_names() == set()


def test_bytes_of_another_kind_are_rejected_at_the_end(tus: Tus) -> None:
    url = tus.url(20)
    assert_problem(tus.patch(url, 0, b"%PDF-1.7" + b"\0" * 12), 400)
    assert not ResumableUpload.unscoped.exists()
    assert not File.unscoped.exists()


def test_a_city_of_a_file_without_readings_is_refused_with_the_first_bytes(tus: Tus) -> None:
    url = tus.url(1_000_000, city_id="7")
    problem = assert_problem(tus.patch(url, 0, b"larch " * 20_000), 400)
    assert "city_id" in problem["errors"]
    assert tus.send("HEAD", url).status_code == 404


def test_unfinished_uploads_count_against_the_quota(tus: Tus, owner: User) -> None:
    owner.client.subscription.quota_bytes = 1000  # type: ignore[union-attr]
    owner.client.subscription.save()  # type: ignore[union-attr]
    url = tus.url(600)
    assert_problem(tus.create(600), 402)
    tus.send("DELETE", url)
    tus.url(600)


def test_a_file_that_no_longer_fits_can_be_finished_later(tus: Tus, owner: User) -> None:
    subscription = owner.client.subscription  # type: ignore[union-attr]
    url = tus.url(len(TEXT))
    subscription.quota_bytes = 10
    subscription.save()
    assert_problem(tus.patch(url, 0, TEXT), 402)
    # Upon a 402, clients would begin another upload.
    assert tus.send("HEAD", url).status_code == 423
    subscription.quota_bytes = None
    subscription.save()
    assert stored(tus.send("HEAD", url)["Timba-File-Id"]) == TEXT


def test_a_client_has_only_some_unfinished_uploads(
    tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_UNFINISHED", 2)
    urls = [tus.url(3), tus.url(3)]
    problem = assert_problem(tus.create(3), 409)
    sentence = "2 uploads are unfinished already: finish or delete some of them."
    assert problem["detail"] == sentence
    tus.patch(urls[0], 0, b"abc")
    tus.url(3)


def test_unfinished_uploads_count_against_the_disk(
    tus: Tus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(services, "check_disk_space", lambda size, folder: asked.append(size))
    tus.patch(tus.url(50_000), 0, b"a" * 20_000)
    tus.url(500)
    assert asked == [50_000, 50_000 - 20_000 - 4096 + 500]  # a file of parts has a header


def test_a_user_without_the_permission_uploads_nothing(make_user: MakeUser, tus: Tus) -> None:
    viewer, url = Tus(api_client_of(make_user("viewer"))), tus.url(3)
    assert_problem(viewer.create(3), 403)
    assert_problem(viewer.patch(url, 0, b"abc"), 403)
    assert_problem(viewer.send("DELETE", url), 403)
    assert viewer.offset(url) == 0


def test_a_file_is_of_the_user_who_began_its_upload(
    tus: Tus, owner: User, make_user: MakeUser
) -> None:
    colleague = Tus(api_client_of(make_user("operator")))
    last = colleague.patch(tus.url(3), 0, b"abc")
    assert File.unscoped.get(pk=last["Timba-File-Id"]).uploaded_by == owner


def test_a_browser_needs_the_csrf_token(owner: User) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(owner)
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "3",
        "Upload-Metadata": encoded(filename="a.txt"),
    }
    assert_problem(browser.post("/api/files/tus/", headers=headers), 403)
    browser.cookies["csrftoken"] = token = "a" * 32
    headers["X-CSRFToken"] = token
    response = browser.generic("POST", "/api/files/tus/", headers=headers)
    assert response.status_code == 201
    headers["Upload-Offset"] = "0"
    url = response["Location"]
    last = browser.generic("PATCH", url, b"abc", content_type=CHUNK_TYPE, headers=headers)
    assert last.status_code == 204
    assert File.unscoped.get().uploaded_by == owner
