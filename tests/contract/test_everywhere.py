"""“Everywhere”: what endpoints do alike; what each of them must do is in `tests.test_endpoints`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client as Program

from tests.clients import api_client_of
from tests.contract.responses import TIME, UUID, assert_problem
from tests.contract.uploads import form_file
from tests.endpoints import READINGS
from tests.factories import Tenant, UserFactory
from tests.temperatures.uploads import settle_readings
from timba.events.messages import build_message
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.storage import store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    # Now, and not another time: an S3 server refuses those whose clocks differ from its own.
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


# --- Values --------------------------------------------------------------------------------------


def test_ids_of_files_and_tasks_are_uuids_all_others_integers_and_times_utc(tenant: Tenant) -> None:
    api_client = api_client_of(tenant.user)
    file = api_client.get(f"/api/files/{tenant.file.pk}/").json()
    assert UUID.fullmatch(file["id"])
    assert UUID.fullmatch(file["task_id"])
    note = api_client.get(f"/api/notes/{tenant.note.pk}/").json()
    user = api_client.get("/timba/user", {"user_id": tenant.user.pk}).json()
    log = api_client.get("/timba/log", {"log_id": tenant.log.pk}).json()
    ids = [note["id"], note["consignment_id"], user["role_id"], user["client_id"], log["id"]]
    assert [type(number) for number in [*ids, file["log_id"], file["uploaded_by"]]] == [int] * 7
    for row in (file, note, user, log):
        times = [value for name, value in row.items() if name.endswith("_at")]
        assert times
        assert all(TIME.fullmatch(time) for time in times)


@pytest.mark.parametrize("length", [4.125, "4.125"])
def test_decimals_are_accepted_as_number_or_string_and_answered_as_numbers(
    length: Any, tenant: Tenant
) -> None:
    body = {"consignment_id": tenant.consignment.pk, "breadth": 30, "height": "31.5"}
    response = api_client_of(tenant.user).put("/timba/log", {**body, "length": length})
    assert response.status_code == 201
    # 4.125 m × 30 cm × 31.5 cm / 10 000 = 0.38981…
    assert b'"length":4.125,"breadth":30.0,"height":31.5,"volume":0.39,' in response.content


# --- Who is asking -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/files/", "/api/", "/upload/", "/api/notes/", "/notes/7/?a=b"])
def test_a_browser_is_sent_to_sign_in_and_on_from_there(path: str, db: None) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = Program(headers={"accept": accept}).get(path)
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=" + path.replace("/", "%2F").replace(
        "?", "%3F"
    ).replace("=", "%3D")
    assert_problem(Program(headers={"accept": "application/json"}).get(path), 401)
    assert_problem(Program().get(path), 401)


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere/", "/timba/nowhere", "/api/notes/x/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_what_does_not_exist_is_404(path: str, method: str, tenant: Tenant) -> None:
    assert_problem(api_client_of(tenant.user).generic(method, path), 404)
    page = Program(headers={"accept": "text/html"}).get(path)
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


def test_a_part_that_is_needed_and_down_is_503_with_retry_after(tenant: Tenant) -> None:
    file = settle_readings("7,21.5,2026-01-01T00:00:00Z\n", actor=tenant.user)
    store().delete(file.storage_key)
    response = api_client_of(tenant.user).get(f"/api/files/{file.pk}/content/")
    assert_problem(response, 503)
    assert int(response["Retry-After"]) > 0


def test_field_errors_name_their_fields(tenant: Tenant) -> None:
    response = api_client_of(tenant.user).post("/api/notes/", {"title": "", "consignment_id": "x"})
    payload = assert_problem(response, 400)
    assert payload["errors"].keys() == {"title", "consignment_id"}
    for sentences in payload["errors"].values():
        assert all(isinstance(sentence, str) and sentence for sentence in sentences)


def test_a_username_is_unique_across_clients_and_says_so(tenant: Tenant) -> None:
    UserFactory(username="taken")
    body = {"name": "Marta", "username": "taken", "role": "viewer"}
    payload = assert_problem(api_client_of(tenant.user).put("/timba/user", body), 409)
    assert "taken" in payload["detail"]


# --- Every answer --------------------------------------------------------------------------------


def test_the_admin_pages_too(staff: Any) -> None:
    browser = Program()
    browser.force_login(staff)
    for path in ("/admin", "/admin/"):
        assert browser.get(path).status_code == 200


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", "ā", "a\tb", "a/b", "a\n"])
def test_a_request_id_that_is_none_is_replaced(bad: str, db: None) -> None:
    for mine in ("a", "x" * 64):
        assert Program().get("/", headers={"X-Request-ID": mine})["X-Request-ID"] == mine
    made = Program().get("/", headers={"X-Request-ID": bad})["X-Request-ID"]
    assert made != bad
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", made)


def test_the_same_request_id_is_in_log_lines_on_the_task_and_on_the_event(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Request-ID": "lorry-7", "X-Forwarded-For": "8.8.8.8"}
    with caplog.at_level("INFO", logger="django_structlog"):
        response = api_client_of(tenant.user).post(
            "/api/files/", {"file": form_file(READINGS)}, format="multipart", headers=headers
        )
    assert response.status_code == 201
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert {"request_started", "request_finished"} <= {line["event"] for line in lines}
    assert {(line["request_id"], line["ip"]) for line in lines} == {("lorry-7", "127.0.0.1")}
    assert File.unscoped.get(pk=response.json()["id"]).request_id == "lorry-7"
    event = OutboxEvent.objects.get(topic="file_events", key=response.json()["id"])
    assert build_message(event).headers["ce_requestid"] == "lorry-7"
