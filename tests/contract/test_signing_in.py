"""“Signing in”: tokens, their rotation and revocation, browser sessions, the administrator."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import jwt
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from tests.factories import PASSWORD
from timba.accounts import token_cache
from timba.accounts.models import Role, User

pytestmark = pytest.mark.django_db

TOKEN, REFRESH, REVOKE = "/api/token/", "/api/token/refresh/", "/api/token/revoke/"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def sign_in(username: str, password: str = PASSWORD, address: str = "10.0.0.7") -> Any:
    credentials = {"username": username, "password": password}
    return APIClient(REMOTE_ADDR=address).post(TOKEN, credentials)


def refresh(token: str) -> Any:
    return APIClient().post(REFRESH, {"refresh": token})


def status_with_token(access: str) -> int:
    """Return the status of a request with this token."""
    api_client = APIClient(headers={"authorization": f"Bearer {access}"})
    status: int = api_client.get("/api/notes/").status_code
    return status


def browser_of(user: User) -> Browser:
    browser = Browser()
    form = {"username": user.username, "password": PASSWORD, "next": "/notes/"}
    response = browser.post("/login/", form)
    assert (response.status_code, response["Location"]) == (302, "/notes/")
    return browser


def test_username_and_password_give_access_and_refresh(make_user: MakeUser) -> None:
    response = sign_in(make_user().username)
    assert response.status_code == 200
    assert list(response.json()) == ["access", "refresh"]
    assert status_with_token(response.json()["access"]) == 200
    assert status_with_token(response.json()["refresh"]) == 401


def test_unknown_wrong_and_inactive_are_the_same_401(make_user: MakeUser) -> None:
    inactive = make_user(is_active=False)
    suspended = make_user()
    responses = [
        sign_in("nobody"),
        sign_in(make_user().username, "wrong"),
        sign_in(inactive.username),
    ]
    suspended.client.is_active = False
    suspended.client.save()
    responses.append(sign_in(suspended.username))
    assert len({response.content for response in responses}) == 1
    for response in responses:
        assert_problem(response, 401)


def test_after_5_failures_for_a_username_and_address_in_15_minutes_it_is_429(
    make_user: MakeUser,
) -> None:
    marta, other = make_user().username, make_user().username
    with time_machine.travel(NOON, tick=False) as clock:
        assert [sign_in(marta, "wrong").status_code for _ in range(5)] == [401] * 5
        response = sign_in(marta)
        assert_problem(response, 429)
        assert 0 < int(response["Retry-After"]) <= 15 * 60
        assert sign_in(other).status_code == 200
        assert sign_in(marta, address="10.0.0.8").status_code == 200
        clock.shift(timedelta(minutes=15, seconds=1))
        assert sign_in(marta).status_code == 200


def test_after_50_failures_from_one_address_in_15_minutes_every_username_is_429(
    make_user: MakeUser,
) -> None:
    marta = make_user().username
    here, near, elsewhere = "2001:db8:1:2::1", "2001:db8:1:2:9::9", "2001:db8:1:3::1"
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(50):
            assert sign_in(f"user-{number}", "wrong", here).status_code == 401
            if number % 10 == 0:
                assert sign_in(marta, address=here).status_code == 200  # is not counted
        for address in (here, near):
            response = sign_in(marta, address=address)
            problem = assert_problem(response, 429)
            assert problem["detail"] == (
                "There were too many attempts to sign in from this address: wait 15 minutes."
            )
            assert response["Retry-After"] == "900"
        assert sign_in(marta, address=elsewhere).status_code == 200
        clock.shift(timedelta(minutes=15))
        assert sign_in(marta, address=here).status_code == 200


def test_an_ipv6_address_counts_by_its_network(make_user: MakeUser) -> None:
    marta = make_user().username
    for number in range(5):
        assert sign_in(marta, "wrong", f"2001:db8:1:2::{number}").status_code == 401
    assert_problem(sign_in(marta, address="2001:db8:1:2:3::"), 429)
    assert sign_in(marta, address="2001:db8:1:3::").status_code == 200


def test_a_password_set_by_an_owner_or_staff_ends_the_lock_at_once(
    make_user: MakeUser, staff: User
) -> None:
    marta = make_user(role="viewer")
    for actor, password in ((make_user(), "larch-bark-7731"), (staff, "spruce-bark-7731")):
        for _ in range(5):
            assert sign_in(marta.username, "wrong").status_code == 401
        assert_problem(sign_in(marta.username), 429)
        api_client = APIClient()
        api_client.force_authenticate(actor)
        body = {"user_id": marta.pk, "password": password}
        assert api_client.patch("/timba/user", body).status_code == 200
        assert sign_in(marta.username, password).status_code == 200


@pytest.mark.parametrize("typed", ["ilze ", " ilze", "\tilze\u00a0\n"])
def test_whitespace_around_a_username_is_stripped(typed: str, make_user: MakeUser) -> None:
    make_user(username="ilze")
    assert sign_in(typed).status_code == 200
    assert Browser().post("/login/", {"username": typed, "password": PASSWORD}).status_code == 302


def test_signing_in_again_changes_the_session_id(make_user: MakeUser) -> None:
    user, other = make_user(), make_user()
    browser = browser_of(user)
    ids = [browser.cookies["timba"].value]
    for again in (user, user, other):
        old = Browser()
        old.cookies["timba"] = ids[-1]
        form = {"username": again.username, "password": PASSWORD}
        assert browser.post("/login/", form).status_code == 302
        ids.append(browser.cookies["timba"].value)
        assert browser.get("/api/notes/").status_code == 200
        assert_problem(old.get("/api/notes/"), 401)
    assert len(set(ids)) == 4


def test_the_pages_count_the_same_failures(make_user: MakeUser) -> None:
    user = make_user()
    form = {"username": user.username, "password": "wrong"}
    for _ in range(5):
        Browser(REMOTE_ADDR="10.0.0.7").post("/login/", form)
    assert Browser(REMOTE_ADDR="10.0.0.7").post("/login/", form).status_code == 429
    assert sign_in(user.username).status_code == 429


def test_access_tokens_expire_after_15_minutes_and_refresh_tokens_after_7_days(
    make_user: MakeUser,
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = sign_in(make_user().username).json()
        decoded = [
            jwt.decode(first[kind], options={"verify_signature": False})
            for kind in ("access", "refresh")
        ]
        assert [claims["exp"] - claims["iat"] for claims in decoded] == [15 * 60, 7 * 24 * 3600]
        clock.shift(timedelta(minutes=15, seconds=29))
        assert status_with_token(first["access"]) == 200
        clock.shift(timedelta(seconds=2))
        assert status_with_token(first["access"]) == 401
        clock.move_to(NOON + timedelta(days=7, seconds=29))
        second = refresh(first["refresh"]).json()
        assert status_with_token(second["access"]) == 200
        clock.shift(timedelta(days=7, seconds=31))
        assert_problem(refresh(second["refresh"]), 401)


@pytest.mark.parametrize(("ahead", "status"), [(29, 200), (31, 401)])
def test_the_clock_of_the_server_that_signed_may_be_30_s_ahead(
    ahead: int, status: int, make_user: MakeUser
) -> None:
    user = make_user()
    with time_machine.travel(NOON + timedelta(seconds=ahead), tick=False):
        access = sign_in(user.username).json()["access"]
    with time_machine.travel(NOON, tick=False):
        assert status_with_token(access) == status


def test_a_refresh_token_is_rotated_and_the_old_one_is_invalid_at_once(make_user: MakeUser) -> None:
    first = sign_in(make_user().username).json()
    response = refresh(first["refresh"])
    assert response.status_code == 200
    second = response.json()
    assert list(second) == ["access", "refresh"]
    assert second["refresh"] != first["refresh"]
    assert_problem(refresh(first["refresh"]), 401)
    assert status_with_token(second["access"]) == 200
    assert refresh(second["refresh"]).status_code == 200


@pytest.mark.parametrize(("seconds", "is_valid"), [(9, True), (11, False)])
def test_reuse_after_more_than_10_seconds_revokes_the_whole_family(
    seconds: int, is_valid: bool, make_user: MakeUser
) -> None:
    user = make_user()
    with time_machine.travel(NOON, tick=False) as clock:
        elsewhere = sign_in(user.username).json()
        first = sign_in(user.username).json()
        second = refresh(first["refresh"]).json()
        clock.shift(timedelta(seconds=seconds))
        assert_problem(refresh(first["refresh"]), 401)
        assert status_with_token(second["access"]) == (200 if is_valid else 401)
        assert refresh(second["refresh"]).status_code == (200 if is_valid else 401)
        assert status_with_token(elsewhere["access"]) == 200


def test_revoking_is_204_and_invalidates_all_tokens_of_that_sign_in(make_user: MakeUser) -> None:
    user = make_user()
    active, ended = sign_in(user.username).json(), sign_in(user.username).json()
    response = APIClient().post(REVOKE, {"refresh": ended["refresh"]})
    assert (response.status_code, response.content) == (204, b"")
    assert status_with_token(ended["access"]) == 401
    assert_problem(refresh(ended["refresh"]), 401)
    assert status_with_token(active["access"]) == 200


def deactivate(user: User) -> None:
    User.unscoped.filter(pk=user.pk).update(is_active=False)


def suspend(user: User) -> None:
    user.client.is_active = False
    user.client.save()


def change_password(user: User) -> None:
    api_client = APIClient()
    api_client.credentials(HTTP_AUTHORIZATION=f"Bearer {sign_in(user.username).json()['access']}")
    body = {"user_id": user.pk, "password": "spruce-bark-7731", "current_password": PASSWORD}
    assert api_client.patch("/timba/user", body).status_code == 200


@pytest.mark.parametrize("revoke_access", [deactivate, User.delete, suspend, change_password])
def test_revoked_access_invalidates_tokens_and_sessions_within_a_second(
    revoke_access: Callable[[User], object], make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    tokens, browser = sign_in(user.username).json(), browser_of(user)
    assert status_with_token(tokens["access"]) == browser.get("/api/notes/").status_code == 200
    revoke_access(user)
    monkeypatch.setattr(token_cache, "monotonic", lambda: time.monotonic() + 1)
    assert status_with_token(tokens["access"]) == 401
    assert_problem(refresh(tokens["refresh"]), 401)
    assert_problem(browser.get("/api/notes/"), 401)


def test_a_changed_role_applies_to_tokens_and_sessions_at_once(make_user: MakeUser) -> None:
    user = make_user(role="operator")
    access, browser = sign_in(user.username).json()["access"], browser_of(user)
    api_client = APIClient(headers={"authorization": f"Bearer {access}"})
    assert api_client.post("/api/notes/", {"title": "Lorry"}).status_code == 201
    user.role = Role.unscoped.get(client=None, name="viewer")
    user.save()
    assert_problem(api_client.post("/api/notes/", {"title": "Lorry"}), 403)
    response = browser.post("/api/notes/", {"title": "Lorry"}, content_type="application/json")
    assert_problem(response, 403)


def test_a_browser_signs_in_and_out_with_302(make_user: MakeUser) -> None:
    browser = browser_of(make_user())
    assert browser.get("/api/notes/").status_code == 200
    assert browser.post("/logout/").status_code == 302
    assert_problem(browser.get("/api/notes/"), 401)


@pytest.mark.parametrize("path", ["/login/", "/logout/"])
def test_signing_in_and_out_need_the_csrf_token(path: str, make_user: MakeUser) -> None:
    user = make_user()
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    form = {"username": user.username, "password": PASSWORD}
    assert_problem(browser.post(path, form), 403)
    browser.cookies["csrftoken"] = "b" * 32
    assert browser.post(path, {**form, "csrfmiddlewaretoken": "b" * 32}).status_code == 302


def test_csu_creates_the_administrator_and_is_idempotent(settings: Any) -> None:
    settings.TIMBA_ADMIN_PASSWORD = "spruce-bark-7731"
    call_command("csu")
    admin = User.unscoped.get(username="admin")
    assert (admin.is_staff, admin.client) == (True, None)
    assert sign_in("admin", "spruce-bark-7731").status_code == 200
    settings.TIMBA_ADMIN_PASSWORD = "another-bark-7731"
    call_command("csu")
    assert User.unscoped.filter(username="admin").count() == 1
    assert sign_in("admin", "spruce-bark-7731").status_code == 200


def test_csu_fails_with_a_sentence_without_a_password_and_a_terminal(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_ADMIN_PASSWORD = ""
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match=r"TIMBA_ADMIN_PASSWORD is not set.*\."):
        call_command("csu")
    assert not User.unscoped.exists()


def test_createsuperuser_creates_staff_without_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "spruce-bark-7731")
    call_command("createsuperuser", "--noinput", "--username", "root")
    root = User.unscoped.get(username="root")
    assert (root.is_staff, root.client) == (True, None)
    assert sign_in("root", "spruce-bark-7731").status_code == 200
