"""“Everywhere”: what every door does alike, asked of every door that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client as Program

from tests.callers import Caller, caller
from tests.conftest import AsUser
from tests.contract.answers import TIME, UUID, assert_problem
from tests.contract.every import (
    EVERY,
    GUARDED,
    MANAGED,
    OWN,
    STAFFS,
    WITH_BODY,
    WRITES,
    is_write,
    named,
)
from tests.doors import METHODS, Answer, Door, a_file, doors, heard
from tests.factories import Tenant, UserFactory
from tests.temperatures.uploads import settle_readings
from timba.events.messages import build_message
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.storage import store

pytestmark = pytest.mark.django_db

CSRF = "a" * 32
# The doors of tokens look at no session.
SESSION_WRITES = [
    call for call in EVERY if call[1] != "GET" and not call[0].route.startswith("api/token/")
]
PAID = [call for call in WRITES if (call[0].route, call[1]) not in STAFFS]
BAD_CREDENTIALS = ["Bearer nonsense", "Bearer", "Bearer a b", "Bearer a.b.c", "Basic bWFydGE6eA=="]


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    # Now, and not another time: an S3 server refuses those whose clocks differ from its own.
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def good(door: Door, method: str, tenant: Tenant) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    return caller(door, method, user=tenant.user, tenant=tenant)


@pytest.fixture(scope="module")
def answered() -> dict[tuple[Door, str], int]:
    """Keep what good calls were answered: each is made once, by the test that asks first."""
    return {}


@pytest.fixture
def usual(door: Door, method: str, tenant: Tenant, answered: dict[tuple[Door, str], int]) -> int:
    """Return the status by which a good call of the sawmill's owner is answered."""
    if (door, method) not in answered:
        good = caller(door, method, user=tenant.user, tenant=tenant)
        answered[door, method] = good.ask().status_code
    return answered[door, method]


# --- Values --------------------------------------------------------------------------------------


def test_ids_of_files_and_tasks_are_uuids_all_others_integers_and_times_utc(
    tenant: Tenant, as_user: AsUser
) -> None:
    program = as_user(tenant.user)
    file = program.get(f"/api/files/{tenant.file.pk}/").json()
    assert UUID.fullmatch(file["id"])
    assert UUID.fullmatch(file["task_id"])
    note = program.get(f"/api/notes/{tenant.note.pk}/").json()
    user = program.get("/timba/user", {"user_id": tenant.user.pk}).json()
    log = program.get("/timba/log", {"log_id": tenant.log.pk}).json()
    ids = [note["id"], note["consignment_id"], user["role_id"], user["client_id"], log["id"]]
    assert [type(number) for number in [*ids, file["log_id"], file["uploaded_by"]]] == [int] * 7
    for row in (file, note, user, log):
        times = [value for name, value in row.items() if name.endswith("_at")]
        assert times
        assert all(TIME.fullmatch(time) for time in times)


@pytest.mark.parametrize("length", [4.125, "4.125"])
def test_decimals_are_accepted_as_number_or_string_and_answered_as_numbers(
    length: Any, tenant: Tenant, as_user: AsUser
) -> None:
    body = {"consignment_id": tenant.consignment.pk, "breadth": 30, "height": "31.5"}
    answer = as_user(tenant.user).put("/timba/log", {**body, "length": length})
    assert answer.status_code == 201
    # 4.125 m × 30 cm × 31.5 cm / 10 000 = 0.38981…
    assert b'"length":4.125,"breadth":30.0,"height":31.5,"volume":0.39,' in answer.content


# --- Who is asking -------------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(GUARDED))
def test_no_or_bad_credentials_are_401(door: Door, method: str, tenant: Tenant) -> None:
    for credentials in (None, *BAD_CREDENTIALS):
        headers = {"authorization": credentials} if credentials else {}
        nobody = Caller(program=Program(), door=door, method=method, tenant=tenant)
        answer = nobody.ask(headers=headers)
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/files/", "/api/", "/upload/", "/api/notes/", "/notes/7/?a=b"])
def test_a_browser_is_sent_to_sign_in_and_on_from_there(path: str, db: None) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = Program(headers={"accept": accept}).get(path)
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=" + path.replace("/", "%2F").replace(
        "?", "%3F"
    ).replace("=", "%3D")
    assert_problem(Program(headers={"accept": "application/json"}).get(path), 401)
    assert_problem(Program().get(path), 401)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(SESSION_WRITES))
def test_a_session_write_without_a_csrf_token_is_403(
    door: Door, method: str, tenant: Tenant, usual: int
) -> None:
    program = Program(enforce_csrf_checks=True)
    program.force_login(tenant.user)
    browser = Caller(program=program, door=door, method=method, tenant=tenant)
    assert_problem(browser.ask(), 403)
    program.cookies["csrftoken"] = CSRF
    assert browser.ask(headers={"X-CSRFToken": CSRF}).status_code == usual


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "method"), named(PAID))
def test_a_lapsed_subscription_is_402_at_every_write_but_never_for_staff(
    door: Door, method: str, good: Caller, staff: Any
) -> None:
    subscription = good.tenant.client.subscription
    subscription.current_period_end = subscription.client.created_at
    subscription.save()
    answer = good.ask()
    if door.operation(method) is None:
        assert answer.status_code in {402, 405}
    else:
        assert_problem(answer, 402)
        for_client = {"client_id": good.tenant.client.pk}
        by_staff = caller(door, method, user=staff, tenant=good.tenant)
        in_body = (door, method) in WITH_BODY
        said = by_staff.ask(**{"body" if in_body else "query": for_client})
        assert said.status_code < 300 or said.status_code == 409


@pytest.mark.parametrize(("door", "method"), named([c for c in EVERY if not is_write(*c)]))
def test_reads_go_on_when_the_subscription_has_lapsed(
    door: Door, method: str, good: Caller, usual: int
) -> None:
    subscription = good.tenant.client.subscription
    subscription.current_period_end = subscription.client.created_at
    subscription.save()
    assert good.ask().status_code == usual


@pytest.mark.parametrize(
    ("door", "method"), named([c for c in WRITES if (c[0].route, c[1]) not in OWN])
)
def test_what_the_role_does_not_allow_is_403(door: Door, method: str, tenant: Tenant) -> None:
    viewer = UserFactory(client=tenant.client, role="viewer")
    answer = caller(door, method, user=viewer, tenant=tenant).ask()
    if door.operation(method) is None:
        assert answer.status_code in {403, 405}
    else:
        assert_problem(answer, 403)


@pytest.mark.parametrize(
    ("door", "method"),
    named([c for c in EVERY if c[1] == "GET" and (c[0].route, c[1]) not in MANAGED]),
)
def test_reading_needs_no_permission(door: Door, method: str, tenant: Tenant, usual: int) -> None:
    viewer = UserFactory(client=tenant.client, role="viewer")
    assert caller(door, method, user=viewer, tenant=tenant).ask().status_code == usual


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("door", [door for door in doors() if not door.is_admin], ids=str)
def test_a_method_that_is_not_there_is_405(door: Door, tenant: Tenant) -> None:
    program = caller(door, door.methods[0], user=tenant.user, tenant=tenant).program
    program.defaults["HTTP_ACCEPT"] = "application/json"
    for method in set(METHODS) - set(door.methods):
        answer = Caller(program=program, door=door, method=method, tenant=tenant).ask()
        assert_problem(answer, 405)
        assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere/", "/timba/nowhere", "/api/notes/x/"])
@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_exist_is_404(
    path: str, method: str, tenant: Tenant, as_user: AsUser
) -> None:
    assert_problem(as_user(tenant.user).generic(method, path), 404)
    page = Program(headers={"accept": "text/html"}).get(path)
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(WITH_BODY))
def test_a_content_type_that_is_not_supported_is_415(door: Door, method: str, good: Caller) -> None:
    for content_type in ("text/plain", "application/xml", "image/png", "nonsense"):
        answer = good.program.generic(
            method, door.path(good.tenant.ids), b"<a/>", content_type=content_type
        )
        assert_problem(answer, 415)


def test_a_part_that_is_needed_and_down_is_503_with_retry_after(
    tenant: Tenant, as_user: AsUser
) -> None:
    file = settle_readings("7,21.5,2026-01-01T00:00:00Z\n", actor=tenant.user)
    store().delete(file.storage_key)
    answer = as_user(tenant.user).get(f"/api/files/{file.pk}/content/")
    assert_problem(answer, 503)
    assert int(answer["Retry-After"]) > 0


def test_field_errors_name_their_fields(tenant: Tenant, as_user: AsUser) -> None:
    answer = as_user(tenant.user).post("/api/notes/", {"title": "", "consignment_id": "x"})
    said = assert_problem(answer, 400)
    assert said["errors"].keys() == {"title", "consignment_id"}
    for sentences in said["errors"].values():
        assert all(isinstance(sentence, str) and sentence for sentence in sentences)


def test_a_username_is_unique_across_clients_and_says_so(tenant: Tenant, as_user: AsUser) -> None:
    UserFactory(username="taken")
    body = {"name": "Marta", "username": "taken", "role": "viewer"}
    said = assert_problem(as_user(tenant.user).put("/timba/user", body), 409)
    assert "taken" in said["detail"]


# --- Every answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "method"), named(EVERY))
def test_a_good_call_is_a_success_with_or_without_the_final_slash_whatever_is_accepted(
    door: Door, method: str, good: Caller, answered: dict[tuple[Door, str], int]
) -> None:
    answer = good.ask(headers={"X-Request-ID": "A.b_c-9"})
    assert answer["X-Request-ID"] == "A.b_c-9"
    assert_success(door, method, answer)
    answered[door, method] = answer.status_code
    path = door.path(good.tenant.ids).rstrip("/")
    usual = heard_at(path, answer)
    if door.route:
        assert heard_at(path, good.ask(slash=not door.route.endswith("/"))) == usual
    if door.operation(method) is not None:
        for accept in ("application/xml", "*/*;q=0, nonsense"):
            assert heard_at(path, good.ask(headers={"accept": accept})) == usual


def assert_success(door: Door, method: str, answer: Answer) -> None:
    """Check that a good call was answered as it is to be."""
    operation = door.operation(method)
    if operation is None:
        assert answer.status_code in {200, 302, 401, 405, 409}
    elif "401" in operation["responses"] and (door, method) not in GUARDED:
        # Without the right password, or with a token that is none.
        assert_problem(answer, 401)
    elif (door.route, method) in STAFFS:
        assert_problem(answer, 403)
    elif door.route.endswith("<uuid:pk>/retry/"):
        assert_problem(answer, 409)
    else:
        assert 200 <= answer.status_code < 300
        assert str(answer.status_code) in operation["responses"]


def heard_at(path: str, answer: Answer) -> bytes:
    """Return what is heard, however the page that was asked for spells its own address."""
    content = answer.content.replace(f"{path}/".encode(), path.encode())
    return heard(replace(answer, content=content))


def test_the_admin_pages_too(staff: Any) -> None:
    browser = Program()
    browser.force_login(staff)
    for path in ("/admin", "/admin/"):
        assert browser.get(path).status_code == 200


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(EVERY))
def test_a_strangers_answer_carries_the_request_id_too(
    door: Door, method: str, tenant: Tenant
) -> None:
    answer = Program().generic(method, door.path(tenant.ids), headers={"X-Request-ID": "x"})
    assert answer["X-Request-ID"] == "x"


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", "ā", "a\tb", "a/b", "a\n"])
def test_a_request_id_that_is_none_is_replaced(bad: str, db: None) -> None:
    for mine in ("a", "x" * 64):
        assert Program().get("/", headers={"X-Request-ID": mine})["X-Request-ID"] == mine
    made = Program().get("/", headers={"X-Request-ID": bad})["X-Request-ID"]
    assert made != bad
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", made)


def test_the_same_request_id_is_in_log_lines_on_the_task_and_on_the_event(
    tenant: Tenant, as_user: AsUser, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Request-ID": "lorry-7", "X-Forwarded-For": "8.8.8.8"}
    with caplog.at_level("INFO", logger="django_structlog"):
        answer = as_user(tenant.user).post(
            "/api/files/", {"file": a_file()}, format="multipart", headers=headers
        )
    assert answer.status_code == 201
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert {"request_started", "request_finished"} <= {line["event"] for line in lines}
    assert {(line["request_id"], line["ip"]) for line in lines} == {("lorry-7", "127.0.0.1")}
    assert File.unscoped.get(pk=answer.json()["id"]).request_id == "lorry-7"
    event = OutboxEvent.objects.get(topic="file_events", key=answer.json()["id"])
    assert build_message(event).headers["ce_requestid"] == "lorry-7"
