"""“Files and photos”: photos find their log, and the photos that look the same."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.uploads import create_file, form_file
from tests.factories import UserFactory
from tests.files.samples import photo
from timba.accounts.models import User
from timba.consignments.models import Consignment

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(api_client: APIClient, consignment: Consignment) -> dict[str, Any]:
    """Return a log of the sawmill's consignment."""
    measures = {"barcode": "B-123", "length": 4, "breadth": 30, "height": 25}
    response = api_client.post(f"/api/consignments/{consignment.pk}/logs/", measures)
    assert response.status_code == 201, response.content
    created: dict[str, Any] = response.json()
    return created


def get(api_client: APIClient, file: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api_client.get(f"/api/files/{file['id']}/").json()
    return found


def test_a_photo_whose_name_holds_a_barcode_is_linked_to_that_log(
    api_client: APIClient, process_pending: ProcessPending, log: dict[str, Any]
) -> None:
    created = create_file(api_client, form_file(photo(), "b-123_2.jpg"))
    process_pending()
    file = get(api_client, created)
    assert (file["log_id"], file["consignment_id"]) == (log["id"], log["consignment_id"])
    assert file["result"]["linked_by"] == "name"
    [listed] = api_client.get("/api/files/").json()["results"]
    task = api_client.get("/api/task-status/", {"task_id": file["task_id"]}).json()
    assert listed["result"]["linked_by"] == task["result"]["linked_by"] == "name"
    changed = api_client.patch(f"/api/files/{file['id']}/", {"log_id": None}).json()
    assert (changed["log_id"], changed["result"]["linked_by"]) == (None, None)


def test_a_log_that_was_given_is_kept(
    api_client: APIClient,
    process_pending: ProcessPending,
    log: dict[str, Any],
    consignment: Consignment,
) -> None:
    url = f"/api/consignments/{consignment.pk}/logs/"
    other = api_client.post(url, {"length": 4, "breadth": 30, "height": 25}).json()
    created = create_file(api_client, form_file(photo(), "B-123.jpg"), log_id=other["id"])
    process_pending()
    file = get(api_client, created)
    assert (file["log_id"], file["result"]["linked_by"]) == (other["id"], None)


def test_similar_photos_are_named_in_a_single_answer(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    names = ["a.jpg", "b.jpg", "c.webp"]
    kinds = ["JPEG", "JPEG", "WEBP"]
    first, *others = (
        create_file(api_client, form_file(photo((640, 480), kind=kind), name))
        for name, kind in zip(names, kinds, strict=True)
    )
    create_file(api_client, form_file("Hello", "d.txt"))
    process_pending()
    similar = get(api_client, first)["result"]["similar"]
    assert [(each["id"], each["name"]) for each in similar] == [
        (other["id"], other["name"]) for other in others
    ]
    assert similar[0]["distance"] == 0
    for listed in api_client.get("/api/files/").json()["results"]:
        assert "similar" not in listed["result"]
    api_client.delete(f"/api/files/{others[0]['id']}/")
    assert [each["name"] for each in get(api_client, first)["result"]["similar"]] == ["c.webp"]


def test_a_client_is_asked_whether_it_has_these_bytes(api_client: APIClient, owner: User) -> None:
    content = photo()
    digest = hashlib.sha256(content).hexdigest()
    stranger = api_client_of(UserFactory())
    create_file(stranger, form_file(content, "a.jpg"))
    create_file(api_client, form_file("Hello", "b.txt"))

    def with_bytes(*sha256: str) -> list[str]:
        answer = api_client.get("/api/files/", {"sha256": sha256})
        return [file["name"] for file in answer.json()["results"]]

    assert with_bytes(digest) == []
    created = create_file(api_client, form_file(content, "c.jpg"))
    assert with_bytes(digest) == with_bytes(digest.upper()) == ["c.jpg"]
    hello = hashlib.sha256(b"Hello").hexdigest()
    assert with_bytes(digest, "0" * 64, hello) == ["c.jpg", "b.txt"]
    too_many = {"sha256": [digest] * 101}
    assert_problem(api_client.get("/api/files/", too_many), 400)
    api_client.delete(f"/api/files/{created['id']}/")
    assert with_bytes(digest) == []
    for wrong in (digest[:-1], f"{digest}0", "g" * 64):
        problem = assert_problem(api_client.get("/api/files/", {"sha256": wrong}), 400)
        assert problem["errors"]["sha256"]
