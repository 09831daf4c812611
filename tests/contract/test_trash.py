"""“Files and photos”: the trash, which lists deleted files and restores them."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.conftest import ProcessPending
from tests.contract.responses import TIME, assert_problem
from tests.contract.uploads import FOUR_READINGS, create_file, form_file, get_file
from tests.factories import UserFactory
from timba.accounts.models import User

pytestmark = pytest.mark.django_db


def trash(api_client: APIClient, **query: Any) -> list[dict[str, Any]]:
    response = api_client.get("/api/files/", {"deleted": "true", **query})
    assert response.status_code == 200
    files: list[dict[str, Any]] = response.json()["results"]
    return files


def delete(api_client: APIClient, file: dict[str, Any]) -> None:
    assert api_client.delete(f"/api/files/{file['id']}/").status_code == 204


def restore(api_client: APIClient, file: dict[str, Any], **headers: str) -> Any:
    return api_client.post(f"/api/files/{file['id']}/restore/", headers=headers)


def test_the_trash_lists_what_was_deleted_last_first(api_client: APIClient, owner: User) -> None:
    first, second, live = (
        create_file(api_client, form_file(word, f"{word}.txt")) for word in ("oak", "elm", "ash")
    )
    for file in (second, first):
        delete(api_client, file)
    listed = trash(api_client)
    assert [file["name"] for file in listed] == ["oak.txt", "elm.txt"]
    for file, deleted in zip((first, second), listed, strict=True):
        assert TIME.fullmatch(deleted.pop("deleted_at"))
        assert deleted.pop("deleted_by") == owner.pk
        assert deleted == file
    assert [file["name"] for file in trash(api_client, q="ELM")] == ["elm.txt"]
    page = api_client.get("/api/files/", {"deleted": "true", "limit": 1}).json()
    assert [file["name"] for file in page["results"]] == ["oak.txt"]
    page = api_client.get(page["next"]).json()
    assert ([file["name"] for file in page["results"]], page["next"]) == (["elm.txt"], None)
    for query in ({}, {"deleted": "false"}):
        assert api_client.get("/api/files/", query).json()["results"] == [live]
    assert_problem(api_client.get("/api/files/", {"deleted": "perhaps"}), 400)


def test_a_restored_file_is_as_it_was_and_counts_at_once(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = create_file(api_client, form_file(FOUR_READINGS, "readings.csv"))
    process_pending()
    file = get_file(api_client, file)
    statistics = api_client.get("/temperature-readings/7/").json()
    delete(api_client, file)
    assert_problem(api_client.get("/temperature-readings/7/"), 404)
    response = restore(api_client, file)
    assert (response.status_code, response.json()) == (200, file)
    assert get_file(api_client, file) == file
    assert api_client.get("/temperature-readings/7/").json() == statistics
    assert trash(api_client) == []
    assert b"".join(api_client.get(file["file_url"])) == FOUR_READINGS.encode()
    events = api_client.get("/api/events/?topic=file_events").json()["events"]
    assert [event["value"]["action"] for event in events] == [
        *("create", "success", "delete", "create")
    ]
    assert events[-1]["value"] == {"action": "create", "file": file}


def test_a_restoration_that_is_repeated_has_one_effect(api_client: APIClient) -> None:
    file = create_file(api_client, form_file("oak", "oak.txt"))
    assert "not in the trash" in assert_problem(restore(api_client, file), 409)["detail"]
    delete(api_client, file)
    key = {"Idempotency-Key": "once"}
    first, again = (restore(api_client, file, **key) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, file)


def test_a_twin_that_was_uploaded_meanwhile_is_named(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    file = create_file(api_client, form_file(FOUR_READINGS, "readings.csv"))
    delete(api_client, file)
    create_file(api_client, form_file(FOUR_READINGS, "the same.csv"))
    assert "“the same.csv”" in assert_problem(restore(api_client, file), 409)["detail"]


def test_the_trash_of_another_client_does_not_exist(api_client: APIClient, staff: User) -> None:
    file = create_file(api_client, form_file("oak", "oak.txt"))
    delete(api_client, file)
    stranger = api_client_of(UserFactory())
    assert trash(stranger) == []
    absent = restore(stranger, {"id": "6f1d2f3e-0c7b-4b7e-9a55-2d6a4f1c8e01"})
    assert_problem(absent, 404)
    foreign = restore(stranger, file)
    assert (foreign.status_code, foreign.content) == (404, absent.content)
    staff_client = api_client_of(staff)
    assert [row["id"] for row in trash(staff_client)] == [file["id"]]
    assert restore(staff_client, file).status_code == 200


def test_a_viewer_sees_the_trash_and_restores_nothing(api_client: APIClient, owner: User) -> None:
    file = create_file(api_client, form_file("oak", "oak.txt"))
    delete(api_client, file)
    viewer = api_client_of(UserFactory(client=owner.client, role="viewer"))
    assert [row["id"] for row in trash(viewer)] == [file["id"]]
    assert_problem(restore(viewer, file), 403)
