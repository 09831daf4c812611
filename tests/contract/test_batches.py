"""“Files and photos”: the index, batches, and how far the work is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.contract.answers import UUID, assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import FOUR, add, one, pdf, photo, sent
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File

pytestmark = pytest.mark.django_db

TASK = ["task_id", "status", "progress", "result", "error"]
BATCH = ["task_ids", "valid_images", "files", "errors"]


def batch(program: APIClient, **fields: Any) -> Any:
    return program.post("/api/upload/", fields, format="multipart")


# --- The index -----------------------------------------------------------------------------------


def test_api_is_the_upload_page_for_a_browser_and_an_index_for_a_program(
    owner: User, program: APIClient
) -> None:
    browser = Browser(headers={"accept": "text/html"})
    browser.force_login(owner)
    assert b'type="file"' in browser.get("/api/").content
    index = program.get("/api/").json()
    assert "http://testserver/api/files/" in index.values()
    for url in index.values():
        path = url.removeprefix("http://testserver")
        statuses = {"/api/token/": 405, "/api/upload/": 405, "/api/task-status/": 400}
        assert program.get(path).status_code == statuses.get(path, 200), path


# --- Batches -------------------------------------------------------------------------------------


def test_a_batch_is_202_and_one_bad_file_never_spoils_it(
    program: APIClient, work: Work, load: Consignment
) -> None:
    answer = batch(
        program,
        images=[sent(photo(), "a.jpg"), sent(pdf(), "b.pdf"), sent(b"no photo", "bad.png")],
        files=[sent("Hello", "c.txt"), sent(FOUR, "d.csv"), sent(b"MZ", "virus.exe")],
        consignment_id=load.pk,
    )
    assert answer.status_code == 202
    said = answer.json()
    assert list(said) == BATCH
    assert said["valid_images"] == ["a.jpg", "b.pdf"]
    assert [list(file) for file in said["files"]] == [["name", "file_id", "task_id", "status"]] * 4
    assert [file["name"] for file in said["files"]] == ["a.jpg", "b.pdf", "c.txt", "d.csv"]
    assert {file["status"] for file in said["files"]} == {"PENDING"}
    assert said["task_ids"] == [file["task_id"] for file in said["files"]]
    assert all(UUID.fullmatch(task_id) for task_id in said["task_ids"])
    assert [list(error) for error in said["errors"]] == [["name", "error"]] * 2
    assert [error["name"] for error in said["errors"]] == ["bad.png", "virus.exe"]
    assert all(error["name"] in error["error"] for error in said["errors"])
    assert work() == 4
    files = program.get("/api/files/", {"consignment_id": load.pk}).json()["results"]
    assert {(file["name"], file["status"]) for file in files} == {
        (name, "SUCCESS") for name in ("a.jpg", "b.pdf", "c.txt", "d.csv")
    }


def test_a_text_is_no_image(program: APIClient) -> None:
    said = assert_problem(batch(program, images=[sent("Hello", "c.txt")]), 400)
    assert [error["name"] for error in said["errors"]] == ["c.txt"]


def test_photos_may_come_as_files(program: APIClient) -> None:
    said = batch(program, files=[sent(photo(), "a.jpg")]).json()
    assert (said["valid_images"], len(said["task_ids"])) == ([], 1)


def test_none_valid_or_none_sent_is_400_whose_errors_are_that_same_list(
    program: APIClient,
) -> None:
    said = assert_problem(batch(program, images=[sent(b"x", "a.png"), sent(b"", "b.txt")]), 400)
    assert [list(error) for error in said["errors"]] == [["name", "error"]] * 2
    assert {error["name"] for error in said["errors"]} == {"a.png", "b.txt"}
    assert not File.unscoped.exists()
    for form in ({}, {"images": "text"}):
        said = assert_problem(batch(program, **form), 400)
        assert [list(error) for error in said["errors"]] == [["name", "error"]]


def test_a_batch_has_at_most_100_files(program: APIClient) -> None:
    def texts(count: int) -> list[Any]:
        return [sent(f"Hello {number}", f"{number}.txt") for number in range(count)]

    said = assert_problem(batch(program, files=texts(60), images=[*texts(41)]), 400)
    assert isinstance(said["errors"], list)
    assert not File.unscoped.exists()
    answer = batch(program, files=texts(100))
    assert answer.status_code == 202
    assert len(answer.json()["task_ids"]) == 100


def test_a_batch_for_a_consignment_that_is_not_there_is_404(program: APIClient) -> None:
    for value, status in ((9, 404), (2**70, 404), ("x", 400), (-1, 400)):
        answer = batch(program, files=[sent("Hello", "c.txt")], consignment_id=value)
        assert_problem(answer, status)
    assert not File.unscoped.exists()


# --- Tasks ---------------------------------------------------------------------------------------


def test_one_task_is_answered_bare_several_in_a_list(program: APIClient, work: Work) -> None:
    first, second = add(program, sent("Hello", "a.txt")), add(program, sent("You", "b.txt"))
    said = program.get("/api/task-status/", {"task_id": first["task_id"]}).json()
    assert list(said) == TASK
    assert said == {
        "task_id": first["task_id"],
        "status": "PENDING",
        "progress": 0.0,
        "result": None,
        "error": None,
    }
    work()
    ids = [first["task_id"], str(uuid.uuid4()), second["task_id"]]
    several = program.get("/api/task-status/", {"task_id": ids}).json()
    assert list(several) == ["tasks"]
    assert [list(task) for task in several["tasks"]] == [TASK] * 3
    assert [task["task_id"] for task in several["tasks"]] == ids
    assert [task["status"] for task in several["tasks"]] == ["SUCCESS", "UNKNOWN", "SUCCESS"]
    assert several["tasks"][0]["result"] == one(program, first)["result"]


def test_one_unknown_task_is_404_and_what_is_no_uuid_400(program: APIClient) -> None:
    url, unknown = "/api/task-status/", str(uuid.uuid4())
    assert_problem(program.get(url, {"task_id": unknown}), 404)
    for task_ids in ([], ["7"], [unknown, "x"], [unknown] * 101):
        said = assert_problem(program.get(url, {"task_id": task_ids}), 400)
        assert said["errors"].keys() == {"task_id"}
    assert len(program.get(url, {"task_id": [unknown] * 100}).json()["tasks"]) == 100
