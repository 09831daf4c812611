"""“Files and photos”: one file, the list, bytes out, retry and delete."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from tests.contract.answers import TIME, assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import FOUR, add, one, photo, sent, zipped
from tests.factories import Tenant
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db

FILE = [
    "id", "task_id", "name", "size", "media_type", "kind", "sha256", "status", "processed",
    "progress", "result", "error", "consignment_id", "log_id", "uploaded_by", "uploaded_at",
    "processed_at", "file_url", "preview_url",
]  # fmt: skip


# --- One file ------------------------------------------------------------------------------------


def test_a_file_has_exactly_these_fields(
    program: APIClient, owner: User, work: Work, load: Consignment
) -> None:
    log = Log.objects.create(
        client=owner.client, consignment=load, barcode="1", length=1, breadth=1, height=1, volume=1
    )
    file = add(program, sent("Hello", "Ķemeri.TXT"), consignment_id=load.pk, log_id=log.pk)
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
        "result": None,
        "error": None,
        "consignment_id": load.pk,
        "log_id": log.pk,
        "uploaded_by": owner.pk,
        "processed_at": None,
        "file_url": f"/api/files/{file['id']}/content/",
        "preview_url": None,
    }
    assert {name: file[name] for name in expected} == expected
    assert TIME.fullmatch(file["uploaded_at"])
    assert one(program, file) == file
    work()
    done = one(program, file)
    assert list(done) == FILE
    assert (done["status"], done["processed"], done["progress"]) == ("SUCCESS", True, 1.0)
    assert TIME.fullmatch(done["processed_at"])
    assert done["task_id"] == file["task_id"]


def test_the_list_is_narrowed_by_status_kind_consignment_and_name(
    program: APIClient, work: Work, load: Consignment
) -> None:
    add(program, sent("Hello", "Bark.txt"), consignment_id=load.pk)
    add(program, sent(FOUR, "Bark readings.csv"))
    add(program, sent("nonsense", "bad.csv"), kind="temperatures")
    work()
    add(program, sent("You", "later.txt"))

    def names(**asked: Any) -> list[str]:
        said = program.get("/api/files/", asked).json()
        assert list(said) == ["results", "next"]
        assert all(list(file) == FILE for file in said["results"])
        return [file["name"] for file in said["results"]]

    assert names() == ["later.txt", "bad.csv", "Bark readings.csv", "Bark.txt"]
    assert names(status="PENDING") == ["later.txt"]
    assert names(status="FAILURE") == ["bad.csv"]
    assert names(kind="temperatures") == ["bad.csv", "Bark readings.csv"]
    assert names(consignment_id=load.pk) == ["Bark.txt"]
    assert names(q="bark") == ["Bark readings.csv", "Bark.txt"]
    assert names(q="bark", kind="text", status="SUCCESS") == ["Bark.txt"]
    for wrong in ({"status": "DONE"}, {"kind": "film"}, {"consignment_id": "x"}):
        assert_problem(program.get("/api/files/", wrong), 400)
    assert_problem(program.get("/api/files/", {"consignment_id": 9}), 404)


def test_patch_places_a_file(program: APIClient, load: Consignment) -> None:
    file = add(program, sent("Hello", "a.txt"))
    url = f"/api/files/{file['id']}/"
    answer = program.patch(url, {"consignment_id": load.pk})
    assert (answer.status_code, answer.json()) == (200, {**file, "consignment_id": load.pk})
    assert program.patch(url, {}).json()["consignment_id"] == load.pk
    assert program.patch(url, {"consignment_id": None}).json()["consignment_id"] is None
    for body in ({"consignment_id": 9}, {"log_id": 9}, {"log_id": 2**63}):
        assert_problem(program.patch(url, body), 404)


def test_a_failure_is_retried_and_nothing_else_is(program: APIClient, work: Work) -> None:
    good, bad = add(program, sent("Hello", "a.txt")), add(program, sent(b"\xff\xd8\xff", "b.jpg"))
    assert_problem(program.post(f"/api/files/{bad['id']}/retry/"), 409)
    work()
    failed = one(program, bad)
    assert (failed["status"], failed["processed"]) == ("FAILURE", True)
    assert failed["error"].endswith(".")
    assert_problem(program.post(f"/api/files/{good['id']}/retry/"), 409)
    answer = program.post(f"/api/files/{bad['id']}/retry/")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["error"]) == ("PENDING", None)
    assert answer.json()["task_id"] == bad["task_id"]
    assert work() == 1
    again = program.post("/api/files/retry-failed/")
    assert (again.status_code, again.json()) == (202, {"retried": 1})
    assert program.post("/api/files/retry-failed/").json() == {"retried": 0}


def test_a_deleted_file_is_gone_for_every_caller_at_once(program: APIClient, work: Work) -> None:
    file = add(program, sent(FOUR, "readings.csv"))
    work()
    answer = program.delete(f"/api/files/{file['id']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    for end in ("", "content/", "rejects/"):
        assert_problem(program.get(f"/api/files/{file['id']}/{end}"), 404)
    assert_problem(program.post(f"/api/files/{file['id']}/retry/"), 404)
    assert_problem(program.delete(f"/api/files/{file['id']}/"), 404)
    assert_problem(program.get("/api/task-status/", {"task_id": file["task_id"]}), 404)
    assert program.get("/api/files/").json()["results"] == []
    assert_problem(program.get("/temperature-readings/7/"), 404)


# --- Bytes out -----------------------------------------------------------------------------------


def test_content_is_the_bytes_as_uploaded_and_harmless(program: APIClient) -> None:
    data = bytes(photo())
    file = add(program, sent(data, 'Ķemeri "7".jpg'))
    answer = program.get(file["file_url"])
    assert answer.status_code == 200
    assert answer.streaming
    assert b"".join(answer) == data
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Length"] == str(len(data))
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert answer["Content-Disposition"].endswith(quote('Ķemeri "7".jpg'))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("wanted", "part", "said"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges_work(wanted: str, part: bytes, said: str, program: APIClient) -> None:
    file = add(program, sent("0123456789", "a.txt"))
    answer = program.get(file["file_url"], headers={"Range": wanted})
    assert (answer.status_code, b"".join(answer)) == (206, part)
    assert answer["Content-Range"] == said
    assert answer["Content-Length"] == str(len(part))


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=-0"])
def test_a_range_that_is_not_there_is_416(wanted: str, program: APIClient) -> None:
    file = add(program, sent("0123456789", "a.txt"))
    answer = program.get(file["file_url"], headers={"Range": wanted})
    assert_problem(answer, 416)
    assert answer["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=-", "bytes=1,2"])
def test_a_range_that_is_none_is_ignored(wanted: str, program: APIClient) -> None:
    file = add(program, sent("0123456789", "a.txt"))
    answer = program.get(file["file_url"], headers={"Range": wanted})
    assert (answer.status_code, b"".join(answer)) == (200, b"0123456789")


def test_rejects_are_for_temperatures_alone(program: APIClient, work: Work, tenant: Tenant) -> None:
    file = add(program, sent("Hello", "a.txt"))
    work()
    assert_problem(program.get(f"/api/files/{file['id']}/rejects/"), 404)
    answer = add(program, zipped(FOUR))
    work()
    assert b"".join(program.get(f"/api/files/{answer['id']}/rejects/")) == b"line,reason,text\r\n"
