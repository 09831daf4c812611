"""“`quota_bytes` null = none; the trash counts; beyond it uploads are 402, in a batch an item”."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.responses import assert_problem
from tests.contract.uploads import create_file, form_file, upload
from timba.accounts.models import User
from timba.files.models import File

pytestmark = pytest.mark.django_db

READINGS = "7,21.50,2026-01-01T12:00:00Z\n"


def set_quota(staff: User, owner: User, quota_bytes: int | None) -> None:
    url = f"/api/clients/{owner.client_id}/subscription/"
    response = api_client_of(staff).patch(url, {"quota_bytes": quota_bytes})
    assert (response.status_code, response.json()["quota_bytes"]) == (200, quota_bytes)


def subscription(api_client: APIClient) -> dict[str, Any]:
    payload: dict[str, Any] = api_client.get("/timba/client").json()["subscription"]
    return payload


def test_used_bytes_are_those_of_all_files_in_the_trash_too(api_client: APIClient) -> None:
    create_file(api_client, form_file("larch", "a.txt"))
    file = create_file(api_client, form_file("alder", "b.txt"))
    assert api_client.delete(f"/api/files/{file['id']}/").status_code == 204
    assert subscription(api_client)["used_bytes"] == 10


@pytest.mark.parametrize("url", ["/upload/", "/api/files/"])
def test_an_upload_beyond_the_quota_is_402_and_leaves_nothing(
    url: str, api_client: APIClient, owner: User, staff: User
) -> None:
    set_quota(staff, owner, len(READINGS) - 1)
    problem = assert_problem(upload(api_client, form_file(READINGS), url), 402)
    assert problem["detail"] == (
        "“readings.csv” does not fit: 28 bytes of the subscription's 28 bytes are free. "
        "Ask for more, or delete files: they count until they leave the trash."
    )
    assert not File.unscoped.exists()
    set_quota(staff, owner, len(READINGS))
    assert upload(api_client, form_file(READINGS), url).status_code == 201
    assert_problem(upload(api_client, form_file("8,1,2026-01-01T12:00:00Z\n"), url), 402)
    set_quota(staff, owner, None)
    assert upload(api_client, form_file("8,1,2026-01-01T12:00:00Z\n"), url).status_code == 201


def test_staff_upload_within_the_clients_quota_too(staff: User, owner: User) -> None:
    set_quota(staff, owner, 4)
    form = {"file": form_file("larch", "a.txt"), "client_id": owner.client_id}
    assert_problem(api_client_of(staff).post("/api/files/", form, format="multipart"), 402)
    assert not File.unscoped.exists()


def test_in_a_batch_a_file_beyond_the_quota_is_an_item_of_errors(
    api_client: APIClient, owner: User, staff: User
) -> None:
    set_quota(staff, owner, 12)
    texts = (("a.txt", "larch"), ("b.txt", "sycamore"), ("c.txt", "alder"))
    forms = {"files": [form_file(text, name) for name, text in texts]}
    response = api_client.post("/api/upload/", forms, format="multipart")
    assert response.status_code == 202
    assert [file["name"] for file in response.json()["files"]] == ["a.txt", "c.txt"]
    assert response.json()["errors"] == [
        {
            "name": "b.txt",
            "error": (
                "“b.txt” does not fit: 7 bytes of the subscription's 12 bytes are free. "
                "Ask for more, or delete files: they count until they leave the trash."
            ),
        }
    ]
    assert File.unscoped.count() == 2
    assert subscription(api_client)["used_bytes"] == 10


def test_a_batch_of_which_no_file_fits_is_400_with_the_errors(
    api_client: APIClient, owner: User, staff: User
) -> None:
    set_quota(staff, owner, 4)
    response = upload(api_client, form_file("larch", "a.txt"), "/api/upload/")
    problem = assert_problem(response, 400)
    assert [error["name"] for error in problem["errors"]] == ["a.txt"]
    assert not File.unscoped.exists()


def test_a_full_quota_hides_no_upload_that_was_accepted_before(
    api_client: APIClient, owner: User, staff: User
) -> None:
    first = create_file(api_client, form_file(READINGS))
    key = {"Idempotency-Key": "once"}
    text = api_client.post(
        "/api/files/", {"file": form_file("larch", "a.md")}, format="multipart", headers=key
    ).json()
    set_quota(staff, owner, len(READINGS) + 5)
    twin = upload(api_client, form_file(READINGS), "/api/files/")
    assert (twin.status_code, twin.json()["id"], twin.json()["duplicate"]) == (
        200,
        first["id"],
        True,
    )
    again = api_client.post(
        "/api/files/", {"file": form_file("larch", "a.md")}, format="multipart", headers=key
    )
    assert (again.status_code, again.json()["id"]) == (201, text["id"])
