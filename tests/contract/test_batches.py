"""“Files and photos”: the index, batches, and the status of tasks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.contract.responses import UUID, assert_problem
from tests.contract.uploads import FOUR_READINGS, create_file, form_file, get_file, invoice
from tests.files.samples import photo
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File

pytestmark = pytest.mark.django_db

TASK = ["task_id", "status", "progress", "rows_read", "result", "error"]
BATCH = ["task_ids", "valid_images", "files", "errors"]


def batch(api_client: APIClient, **fields: Any) -> Any:
    return api_client.post("/api/upload/", fields, format="multipart")


# --- The index -----------------------------------------------------------------------------------


def test_api_is_the_upload_page_for_a_browser_and_an_index_for_an_api_client(
    owner: User, api_client: APIClient
) -> None:
    browser = Browser(headers={"accept": "text/html"})
    browser.force_login(owner)
    assert b'type="file"' in browser.get("/api/").content
    index = api_client.get("/api/").json()
    assert "http://testserver/api/files/" in index.values()
    for url in index.values():
        path = url.removeprefix("http://testserver")
        statuses = {"/api/token/": 405, "/api/upload/": 405}
        statuses |= {"/api/task-status/": 400, "/timba/logs": 400}
        assert api_client.get(path).status_code == statuses.get(path, 200), path


# --- Batches -------------------------------------------------------------------------------------


def test_a_batch_is_202_and_one_bad_file_does_not_reject_it(
    api_client: APIClient, process_pending: ProcessPending, consignment: Consignment
) -> None:
    response = batch(
        api_client,
        images=[
            form_file(photo(), "a.jpg"),
            form_file(invoice(), "b.pdf"),
            form_file(b"no photo", "bad.png"),
        ],
        files=[
            form_file("Hello", "c.txt"),
            form_file(FOUR_READINGS, "d.csv"),
            form_file(b"MZ", "virus.exe"),
        ],
        consignment_id=consignment.pk,
    )
    assert response.status_code == 202
    payload = response.json()
    assert list(payload) == BATCH
    assert payload["valid_images"] == ["a.jpg", "b.pdf"]
    assert [list(file) for file in payload["files"]] == [
        ["name", "file_id", "task_id", "status"]
    ] * 4
    assert [file["name"] for file in payload["files"]] == ["a.jpg", "b.pdf", "c.txt", "d.csv"]
    assert {file["status"] for file in payload["files"]} == {"PENDING"}
    assert payload["task_ids"] == [file["task_id"] for file in payload["files"]]
    assert all(UUID.fullmatch(task_id) for task_id in payload["task_ids"])
    assert [list(error) for error in payload["errors"]] == [["name", "error"]] * 2
    assert [error["name"] for error in payload["errors"]] == ["bad.png", "virus.exe"]
    assert all(error["name"] in error["error"] for error in payload["errors"])
    assert process_pending() == 4
    files = api_client.get("/api/files/", {"consignment_id": consignment.pk}).json()["results"]
    assert {(file["name"], file["status"]) for file in files} == {
        (name, "SUCCESS") for name in ("a.jpg", "b.pdf", "c.txt", "d.csv")
    }


def test_a_kind_that_does_not_exist_rejects_its_file_alone(api_client: APIClient) -> None:
    files = [form_file("Hello", name) for name in ("a.csv", "b.csv", "c.txt")]
    response = batch(api_client, kind=["wood", "text", "x" * 3], files=files)
    assert response.status_code == 202
    payload = response.json()
    assert [file["name"] for file in payload["files"]] == ["b.csv"]
    sentence = "“{}” is not accepted: its name ends in “.{}”, which is not a file of kind {}."
    assert payload["errors"] == [
        {"name": "a.csv", "error": sentence.format("a.csv", "csv", "wood")},
        {"name": "c.txt", "error": sentence.format("c.txt", "txt", "xxx")},
    ]


def test_a_text_is_not_accepted_as_an_image(api_client: APIClient) -> None:
    problem = assert_problem(batch(api_client, images=[form_file("Hello", "c.txt")]), 400)
    assert [error["name"] for error in problem["errors"]] == ["c.txt"]


def test_photos_are_accepted_in_the_field_of_files(api_client: APIClient) -> None:
    payload = batch(api_client, files=[form_file(photo(), "a.jpg")]).json()
    assert (payload["valid_images"], len(payload["task_ids"])) == ([], 1)


def test_a_batch_without_a_valid_file_is_400_with_the_list_of_errors(
    api_client: APIClient,
) -> None:
    problem = assert_problem(
        batch(api_client, images=[form_file(b"x", "a.png"), form_file(b"", "b.txt")]), 400
    )
    assert [list(error) for error in problem["errors"]] == [["name", "error"]] * 2
    assert {error["name"] for error in problem["errors"]} == {"a.png", "b.txt"}
    assert not File.unscoped.exists()
    for form in ({}, {"images": "text"}):
        problem = assert_problem(batch(api_client, **form), 400)
        assert [list(error) for error in problem["errors"]] == [["name", "error"]]


def test_a_batch_has_at_most_100_files(api_client: APIClient) -> None:
    def texts(count: int) -> list[Any]:
        return [form_file(f"Hello {number}", f"{number}.txt") for number in range(count)]

    problem = assert_problem(batch(api_client, files=texts(60), images=[*texts(41)]), 400)
    assert isinstance(problem["errors"], list)
    assert not File.unscoped.exists()
    response = batch(api_client, files=texts(100))
    assert response.status_code == 202
    assert len(response.json()["task_ids"]) == 100


def test_a_batch_for_an_absent_consignment_is_404(api_client: APIClient) -> None:
    for value, status in ((9, 404), (2**70, 404), ("x", 400), (-1, 400)):
        response = batch(api_client, files=[form_file("Hello", "c.txt")], consignment_id=value)
        assert_problem(response, status)
    assert not File.unscoped.exists()


# --- Tasks ---------------------------------------------------------------------------------------


def test_one_task_is_returned_bare_and_several_in_a_list(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    first, second = (
        create_file(api_client, form_file("Hello", "a.txt")),
        create_file(api_client, form_file("You", "b.txt")),
    )
    payload = api_client.get("/api/task-status/", {"task_id": first["task_id"]}).json()
    assert list(payload) == TASK
    assert payload == {
        "task_id": first["task_id"],
        "status": "PENDING",
        "progress": 0.0,
        "rows_read": None,
        "result": None,
        "error": None,
    }
    process_pending()
    ids = [first["task_id"], str(uuid.uuid4()), second["task_id"]]
    several = api_client.get("/api/task-status/", {"task_id": ids}).json()
    assert list(several) == ["tasks"]
    assert [list(task) for task in several["tasks"]] == [TASK] * 3
    assert [task["task_id"] for task in several["tasks"]] == ids
    assert [task["status"] for task in several["tasks"]] == ["SUCCESS", "UNKNOWN", "SUCCESS"]
    assert several["tasks"][0]["result"] == get_file(api_client, first)["result"]


def test_one_unknown_task_is_404_and_an_invalid_uuid_is_400(api_client: APIClient) -> None:
    url, unknown = "/api/task-status/", str(uuid.uuid4())
    assert_problem(api_client.get(url, {"task_id": unknown}), 404)
    for task_ids in ([], ["7"], [unknown, "x"], [unknown] * 101):
        problem = assert_problem(api_client.get(url, {"task_id": task_ids}), 400)
        assert problem["errors"].keys() == {"task_id"}
    assert len(api_client.get(url, {"task_id": [unknown] * 100}).json()["tasks"]) == 100
