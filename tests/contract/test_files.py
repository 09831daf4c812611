"""“Files and photos”: one file, the list, downloads, retry and deletion."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.responses import TIME, assert_problem
from tests.contract.uploads import (
    FOUR_READINGS,
    create_file,
    form_file,
    get_file,
    gzipped_form_file,
)
from tests.factories import Tenant
from tests.files.samples import photo
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db

FILE = [
    "id", "task_id", "name", "size", "media_type", "kind", "sha256", "status", "processed",
    "progress", "rows_read", "result", "error", "consignment_id", "log_id", "uploaded_by",
    "uploaded_at", "processed_at", "file_url", "preview_url",
]  # fmt: skip


# --- One file ------------------------------------------------------------------------------------


def test_a_file_has_exactly_these_fields(
    api_client: APIClient, owner: User, process_pending: ProcessPending, consignment: Consignment
) -> None:
    log = Log.objects.create(
        client=owner.client,
        consignment=consignment,
        barcode="1",
        length=1,
        breadth=1,
        height=1,
        volume=1,
    )
    file = create_file(
        api_client, form_file("Hello", "Ķemeri.TXT"), consignment_id=consignment.pk, log_id=log.pk
    )
    assert list(file) == FILE
    expected = {
        "name": "Ķemeri.TXT",
        "size": 5,
        "media_type": "text/plain",
        "kind": "text",
        "sha256": hashlib.sha256(b"Hello").hexdigest(),
        "status": "PENDING",
        "processed": False,
        "progress": 0.0,
        "rows_read": None,
        "result": None,
        "error": None,
        "consignment_id": consignment.pk,
        "log_id": log.pk,
        "uploaded_by": owner.pk,
        "processed_at": None,
        "file_url": f"/api/files/{file['id']}/content/",
        "preview_url": None,
    }
    assert {name: file[name] for name in expected} == expected
    assert TIME.fullmatch(file["uploaded_at"])
    assert get_file(api_client, file) == file
    process_pending()
    done = get_file(api_client, file)
    assert list(done) == FILE
    assert (done["status"], done["processed"], done["progress"]) == ("SUCCESS", True, 1.0)
    assert TIME.fullmatch(done["processed_at"])
    assert done["task_id"] == file["task_id"]


def test_the_list_is_filtered_by_status_kind_consignment_and_name(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    create_file(api_client, form_file("Hello", "Bark.txt"), consignment_id=consignment.pk)
    create_file(api_client, form_file(FOUR_READINGS, "Bark readings.csv"))
    create_file(api_client, form_file("nonsense", "bad.csv"), kind="temperatures")
    process_pending()
    create_file(api_client, form_file("You", "later.txt"))

    def names(**params: Any) -> list[str]:
        payload = api_client.get("/api/files/", params).json()
        assert list(payload) == ["results", "next"]
        assert all(list(file) == FILE for file in payload["results"])
        return [file["name"] for file in payload["results"]]

    assert names() == ["later.txt", "bad.csv", "Bark readings.csv", "Bark.txt"]
    assert names(status="PENDING") == ["later.txt"]
    assert names(status="FAILURE") == ["bad.csv"]
    assert names(kind="temperatures") == ["bad.csv", "Bark readings.csv"]
    assert names(consignment_id=consignment.pk) == ["Bark.txt"]
    assert names(q="bark") == ["Bark readings.csv", "Bark.txt"]
    assert names(q="bark", kind="text", status="SUCCESS") == ["Bark.txt"]
    for invalid in ({"status": "DONE"}, {"kind": "film"}, {"consignment_id": "x"}):
        assert_problem(api_client.get("/api/files/", invalid), 400)
    assert_problem(api_client.get("/api/files/", {"consignment_id": 9}), 404)


def test_patch_places_a_file(api_client: APIClient, consignment: Consignment) -> None:
    file = create_file(api_client, form_file("Hello", "a.txt"))
    url = f"/api/files/{file['id']}/"
    response = api_client.patch(url, {"consignment_id": consignment.pk})
    assert (response.status_code, response.json()) == (
        200,
        {**file, "consignment_id": consignment.pk},
    )
    assert api_client.patch(url, {}).json()["consignment_id"] == consignment.pk
    assert api_client.patch(url, {"consignment_id": None}).json()["consignment_id"] is None
    for body in ({"consignment_id": 9}, {"log_id": 9}, {"log_id": 2**63}):
        assert_problem(api_client.patch(url, body), 404)


def test_only_a_failed_file_is_retried(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    good, bad = (
        create_file(api_client, form_file("Hello", "a.txt")),
        create_file(api_client, form_file(b"\xff\xd8\xff", "b.jpg")),
    )
    assert_problem(api_client.post(f"/api/files/{bad['id']}/retry/"), 409)
    process_pending()
    failed = get_file(api_client, bad)
    assert (failed["status"], failed["processed"]) == ("FAILURE", True)
    assert failed["error"].endswith(".")
    refused = api_client.post(f"/api/files/{good['id']}/retry/")
    assert assert_problem(refused, 409)["detail"] == (
        "Only a file in FAILURE, or a dry run, can be tried again. A temperature file in SUCCESS "
        "is read otherwise with “read_as”."
    )
    response = api_client.post(f"/api/files/{bad['id']}/retry/")
    assert response.status_code == 202
    assert (response.json()["status"], response.json()["error"]) == ("PENDING", None)
    assert response.json()["task_id"] == bad["task_id"]
    assert process_pending() == 1
    again = api_client.post("/api/files/retry-failed/")
    assert (again.status_code, again.json()) == (202, {"retried": 1})
    assert api_client.post("/api/files/retry-failed/").json() == {"retried": 0}


def test_a_deleted_file_is_absent_at_every_endpoint_at_once(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = create_file(api_client, form_file(FOUR_READINGS, "readings.csv"))
    process_pending()
    response = api_client.delete(f"/api/files/{file['id']}/")
    assert (response.status_code, response.content) == (204, b"")
    for path in ("", "content/", "rejects/"):
        assert_problem(api_client.get(f"/api/files/{file['id']}/{path}"), 404)
    assert_problem(api_client.post(f"/api/files/{file['id']}/retry/"), 404)
    assert_problem(api_client.delete(f"/api/files/{file['id']}/"), 404)
    assert_problem(api_client.get("/api/task-status/", {"task_id": file["task_id"]}), 404)
    assert api_client.get("/api/files/").json()["results"] == []
    assert_problem(api_client.get("/temperature-readings/7/"), 404)


# --- Downloads -----------------------------------------------------------------------------------


def test_content_is_the_uploaded_bytes_with_safe_headers(api_client: APIClient) -> None:
    data = bytes(photo())
    file = create_file(api_client, form_file(data, 'Ķemeri "7".jpg'))
    response = api_client.get(file["file_url"])
    assert response.status_code == 200
    assert response.streaming
    assert b"".join(response) == data
    assert response["Content-Type"] == "image/jpeg"
    assert response["Content-Length"] == str(len(data))
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert response["Content-Disposition"].endswith(quote('Ķemeri "7".jpg'))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("requested", "part", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_gets_206(
    requested: str, part: bytes, content_range: str, api_client: APIClient
) -> None:
    file = create_file(api_client, form_file("0123456789", "a.txt"))
    response = api_client.get(file["file_url"], headers={"Range": requested})
    assert (response.status_code, b"".join(response)) == (206, part)
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(part))


@pytest.mark.parametrize("requested", ["bytes=10-", "bytes=-0"])
def test_an_unsatisfiable_range_is_416(requested: str, api_client: APIClient) -> None:
    file = create_file(api_client, form_file("0123456789", "a.txt"))
    response = api_client.get(file["file_url"], headers={"Range": requested})
    assert_problem(response, 416)
    assert response["Content-Range"] == "bytes */10"


@pytest.mark.parametrize(
    "requested", ["bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=-", "bytes=1,2"]
)
def test_an_invalid_range_is_ignored(requested: str, api_client: APIClient) -> None:
    file = create_file(api_client, form_file("0123456789", "a.txt"))
    response = api_client.get(file["file_url"], headers={"Range": requested})
    assert (response.status_code, b"".join(response)) == (200, b"0123456789")


def test_only_temperature_files_have_rejects(
    api_client: APIClient, process_pending: ProcessPending, tenant: Tenant
) -> None:
    file = create_file(api_client, form_file("Hello", "a.txt"))
    process_pending()
    assert_problem(api_client.get(f"/api/files/{file['id']}/rejects/"), 404)
    file = create_file(api_client, gzipped_form_file(FOUR_READINGS))
    process_pending()
    response = api_client.get(f"/api/files/{file['id']}/rejects/")
    assert b"".join(response) == b"line,reason,text\r\n"
