"""Answers to a temperature file: its city at the upload, and other ones for a file that counts."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from tests.clients import api_client_of
from timba.accounts.models import User
from timba.files.models import File, ImportProfile
from timba.files.processing import process_file

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


def process() -> dict[str, Any]:
    """Process the one file and return its row's columns."""
    assert process_file(File.unscoped.get().pk)
    columns = ("status", "error", "result", "read_as")
    return File.unscoped.values(*columns).get()


def statistics(api_client: APIClient, city_id: int) -> tuple[int, float]:
    answer = api_client.get(f"/temperature-readings/{city_id}/").json()
    return answer["count"], answer["mean_temp"]


def upload(api_client: APIClient, data: bytes, **fields: str) -> None:
    form = {"file": SimpleUploadedFile("yard.csv", data), **fields}
    assert api_client.post("/upload/", form, format="multipart").status_code == 201


def test_readings_without_a_column_of_cities_are_of_the_city_in_the_form(
    api_client: APIClient,
) -> None:
    data = b"temperature;time\n1,5;2026-01-31 08:00\n2,5;2026-01-31 09:00\n"
    upload(api_client, data, city_id="41")
    done = process()
    assert (done["status"], done["result"]["read_as"]["city_id"]) == ("SUCCESS", 41)
    assert statistics(api_client, 41) == (2, 2.0)
    assert not ImportProfile.unscoped.filter(read_as__contains="city_id").exists()


def test_a_file_that_counts_is_read_in_another_unit_or_stays_as_it_is(
    api_client: APIClient,
) -> None:
    upload(api_client, b"city_id,temperature,timestamp\n7,50.0,2026-01-01T00:00:00Z\n")
    assert process()["status"] == "SUCCESS"
    path = f"/api/files/{File.unscoped.get().pk}/retry/"
    for read_as, mean, is_refused in (
        ({"unit": "F"}, 10.0, False),
        ({"columns": {"city_id": 2, "temperature": 1}}, 10.0, True),
        ({"unit": "K"}, -223.15, False),
    ):
        before = statistics(api_client, 7)
        answer = api_client.post(path, {"read_as": read_as}, format="json")
        assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
        assert answer.json()["result"]["accepted"] == 1
        assert statistics(api_client, 7) == before
        done = process()
        assert (done["status"], bool(done["error"])) == ("SUCCESS", is_refused)
        assert statistics(api_client, 7) == (1, mean)
