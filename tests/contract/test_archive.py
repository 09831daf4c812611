"""“Files and photos”: a ZIP of the originals."""

from __future__ import annotations

import io
from typing import Any
from zipfile import ZipFile

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.responses import assert_problem
from tests.contract.uploads import create_file, form_file
from tests.factories import UserFactory
from tests.files.samples import photo
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.files import archive
from timba.files.models import File
from timba.files.storage import StorageUnavailable, store

pytestmark = pytest.mark.django_db

ARCHIVE = "/api/files/archive/"


def unzip(response: Any) -> ZipFile:
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/zip"
    return ZipFile(io.BytesIO(b"".join(response)))


def test_files_are_in_the_order_of_their_ids_once(api_client: APIClient) -> None:
    contents = {"Ķemeri.jpg": bytes(photo()), "gate.txt": b"Seal 88412\n" * 1000}
    ids = [create_file(api_client, form_file(data, name))["id"] for name, data in contents.items()][
        ::-1
    ]
    response = api_client.get(ARCHIVE, {"file_id": [*ids, ids[0]]})
    assert response["Content-Disposition"] == 'attachment; filename="files.zip"'
    assert response["X-Content-Type-Options"] == "nosniff"
    archive = unzip(response)
    assert archive.testzip() is None
    assert archive.namelist() == ["gate.txt", "Ķemeri.jpg"]
    assert {name: archive.read(name) for name in archive.namelist()} == contents
    text, image = archive.infolist()
    assert text.compress_size < len(contents["gate.txt"]) / 10
    assert image.flag_bits & 0x800  # its name is UTF-8


def test_a_consignments_files_carry_its_name_and_their_time_in_the_clients_zone(
    api_client: APIClient, consignment: Consignment
) -> None:
    Client.unscoped.update(time_zone="Asia/Tokyo")
    Consignment.unscoped.update(name='Load 7/8: "Ķemeri"')
    for name in ("same.txt", "SAME.txt", "other.txt"):
        create_file(api_client, form_file("x", name), consignment_id=consignment.pk)
    create_file(api_client, form_file("x", "elsewhere.txt"))
    deleted = create_file(api_client, form_file("x", "gone.txt"), consignment_id=consignment.pk)
    assert api_client.delete(f"/api/files/{deleted['id']}/").status_code == 204
    at = timezone.now().replace(2026, 3, 1, 20, 30, 44, 0)
    File.unscoped.update(uploaded_at=at)
    File.unscoped.filter(name="same.txt").update(uploaded_at=at.replace(hour=1))
    File.unscoped.filter(name="SAME.txt").update(uploaded_at=at.replace(hour=2))
    response = api_client.get(ARCHIVE, {"consignment_id": consignment.pk})
    assert "Load%207_8_%20_%C4%B6emeri_.zip" in response["Content-Disposition"]
    archive = unzip(response)
    assert archive.namelist() == ["same.txt", "SAME (2).txt", "other.txt"]
    assert archive.infolist()[-1].date_time == (2026, 3, 2, 5, 30, 44)


@pytest.mark.parametrize("step", [1, -1])
def test_files_are_in_the_order_in_which_they_are_named(api_client: APIClient, step: int) -> None:
    names = [f"{number}.txt" for number in range(6)]
    ids = [create_file(api_client, form_file("x", name))["id"] for name in names]
    zipped = unzip(api_client.get(ARCHIVE, {"file_id": ids[::step]}))
    assert zipped.namelist() == names[::step]


def test_a_store_that_is_not_reached_is_503(
    api_client: APIClient, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_file(api_client, form_file("x", "x.txt"), consignment_id=consignment.pk)

    def fail(_: Any) -> set[str]:
        raise StorageUnavailable

    monkeypatch.setattr(archive, "find_missing", fail)
    answer = assert_problem(api_client.get(ARCHIVE, {"consignment_id": consignment.pk}), 503)
    assert answer["detail"] == "The stored bytes cannot be reached just now. Try again in a moment."


def test_missing_bytes_are_503_before_the_first_byte(
    api_client: APIClient, consignment: Consignment
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        create_file(api_client, form_file(name, name), consignment_id=consignment.pk)
    store().delete(File.unscoped.get(name="b.txt").storage_key)
    missing = assert_problem(api_client.get(ARCHIVE, {"consignment_id": consignment.pk}), 503)
    assert missing["detail"] == "The bytes of “b.txt” are missing. Leave such files out."
    store().delete(File.unscoped.get(name="c.txt").storage_key)
    missing = assert_problem(api_client.get(ARCHIVE, {"consignment_id": consignment.pk}), 503)
    assert "“b.txt” and 1 more are missing" in missing["detail"]


def test_what_cannot_be_archived_is_404(
    api_client: APIClient, consignment: Consignment, owner: User
) -> None:
    empty = assert_problem(api_client.get(ARCHIVE, {"consignment_id": consignment.pk}), 404)
    assert empty["detail"] == "The consignment has no files."
    own = create_file(api_client, form_file("x", "x.txt"))["id"]
    stranger = api_client_of(UserFactory())
    theirs = create_file(stranger, form_file("x", "x.txt"))["id"]
    absent = "6f1d2f3e-0c7b-4b7e-9a55-2d6a4f1c8e01"
    answers = [
        assert_problem(api_client.get(ARCHIVE, {"file_id": [own, other]}), 404)
        for other in (theirs, absent)
    ]
    assert answers[0] == answers[1]
    assert_problem(stranger.get(ARCHIVE, {"consignment_id": consignment.pk}), 404)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"file_id": "7"},
        {"file_id": ["6f1d2f3e-0c7b-4b7e-9a55-2d6a4f1c8e01"] * 1001},
        {"consignment_id": "seven"},
        {"consignment_id": "", "file_id": []},
    ],
)
def test_a_wrong_query_is_400(api_client: APIClient, query: dict[str, Any]) -> None:
    assert_problem(api_client.get(ARCHIVE, query), 400)


def test_either_ids_or_a_consignment_is_given(
    api_client: APIClient, consignment: Consignment
) -> None:
    file_id = create_file(api_client, form_file("x", "x.txt"))["id"]
    query = {"file_id": file_id, "consignment_id": consignment.pk}
    assert_problem(api_client.get(ARCHIVE, query), 400)
