"""Password authentication: one message for all failures, and protection against guessing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client as Browser
from django.test import RequestFactory

from tests.conftest import MakeUser
from tests.factories import PASSWORD
from timba.accounts import rate_limit, sign_in
from timba.accounts.models import User
from timba.accounts.rate_limit import ConcurrencyLimiter
from timba.accounts.services import change_user
from timba.accounts.sign_in import check_credentials, confirm_password, hash_password
from timba.errors import NotSignedIn, TooManyAttempts, Unavailable

REFUSED = r"^The username or the password is not right\.$"


def request_from(address: str = "192.0.2.1", agent: str = "curl") -> HttpRequest:
    return RequestFactory().post("/login/", REMOTE_ADDR=address, HTTP_USER_AGENT=agent)


def fail(username: str, times: int = 1, **caller: str) -> None:
    for _ in range(times):
        with pytest.raises(NotSignedIn, match=REFUSED):
            check_credentials(request_from(**caller), username=username, password="wrong")


def test_the_right_credentials_name_their_user(make_user: MakeUser) -> None:
    user = make_user()
    assert check_credentials(request_from(), username=user.username, password=PASSWORD) == user


def test_unknown_wrong_and_inactive_are_refused_alike(make_user: MakeUser) -> None:
    make_user(username="asleep", is_active=False)
    suspended = make_user(username="suspended")
    suspended.client.is_active = False
    suspended.client.save()
    for username in ("nobody", "asleep", "suspended", suspended.username.upper(), ""):
        with pytest.raises(NotSignedIn, match=REFUSED):
            check_credentials(request_from(), username=username, password=PASSWORD)


def test_an_unknown_name_costs_as_many_hashes_as_a_wrong_password(
    make_user: MakeUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    make_user(username="anna")
    make_user(username="asleep", is_active=False)
    hashed: list[int] = []
    encode = PBKDF2PasswordHasher.encode

    def counting(hasher: Any, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations or hasher.iterations)
        return encode(hasher, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counting)
    work = {}
    for username in ("anna", "asleep", "nobody"):
        hashed.clear()
        fail(username)
        work[username] = sum(hashed)
    assert work == dict.fromkeys(work, 1000)


@pytest.mark.parametrize(
    ("username", "password"),
    [("an\0na", "x"), ("\ud800", "x"), ("x" * 151, "x"), ("x" * 10**6, "x"), ("anna", "\ud800")],
)
def test_impossible_usernames_are_rejected_like_unknown_ones(
    username: str, password: str, db: None
) -> None:
    with pytest.raises(NotSignedIn, match=REFUSED):
        check_credentials(request_from(), username=username, password=password)


def test_five_failures_lock_a_username_and_address_for_15_minutes(
    make_user: MakeUser,
) -> None:
    user = make_user()
    with time_machine.travel("2026-11-21 10:00:00+00:00", tick=False) as clock:
        fail(user.username, 5)
        clock.shift(60)
        with pytest.raises(TooManyAttempts) as refused:
            check_credentials(request_from(), username=user.username, password=PASSWORD)
        assert refused.value.retry_after == 14 * 60
        clock.shift(14 * 60 + 1)
        assert check_credentials(request_from(), username=user.username, password=PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_concurrent_guesses_that_wait_for_a_slot_are_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(sign_in, "_sign_in_limiter", ConcurrencyLimiter(at_once=1, waiting=23))

    def guess(_: int) -> type[Exception]:
        try:
            check_credentials(request_from(), username="anna", password="wrong")
        except (NotSignedIn, TooManyAttempts) as refused:
            return type(refused)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(guess, range(12)))
    assert (responses.count(NotSignedIn), responses.count(TooManyAttempts)) == (5, 7)


def test_a_lock_holds_for_unknown_names_too(db: None) -> None:
    fail("nobody", 5)
    with pytest.raises(TooManyAttempts):
        check_credentials(request_from(), username="nobody", password="x")


def test_another_user_agent_does_not_unlock_the_username(make_user: MakeUser) -> None:
    user = make_user()
    for number in range(5):
        fail(user.username, agent=f"agent {number}")
    with pytest.raises(TooManyAttempts):
        check_credentials(request_from(agent="new"), username=user.username, password=PASSWORD)


def test_others_are_not_locked_out(make_user: MakeUser) -> None:
    user, neighbour = make_user(), make_user()
    fail(user.username, 5)
    assert check_credentials(request_from(), username=neighbour.username, password=PASSWORD)
    elsewhere = request_from(address="192.0.2.2")
    assert check_credentials(elsewhere, username=user.username, password=PASSWORD)


def test_a_successful_sign_in_resets_the_failures(make_user: MakeUser) -> None:
    user = make_user()
    for _ in range(3):
        fail(user.username, 4)
        assert check_credentials(request_from(), username=user.username, password=PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_hashing_a_new_password_does_not_wait_for_recorded_failures(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "WAIT_SECONDS", 0.01)
    owner, noting = make_user(), threading.Semaphore(0)

    def fail_alone(number: int) -> None:
        try:
            with connection.execute_wrapper(_Tells(noting)):
                fail(f"nobody-{number}")
        finally:
            connection.close()

    turns = sign_in.AT_ONCE
    with ThreadPoolExecutor(turns + 1) as pool:
        with transaction.atomic():  # keeps every other writer of SQLite waiting
            failing = [pool.submit(fail_alone, number) for number in range(turns)]
            assert all(noting.acquire(timeout=60) for _ in range(turns))
            pool.submit(hash_password, "spruce-bark-7731", user=owner).result(60)
        for failed in failing:
            failed.result(60)


class _Tells:
    """Watches a connection; tells once, as its first write begins."""

    def __init__(self, told: threading.Semaphore) -> None:
        self._told = told
        self._is_told = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self._is_told and not sql.startswith("SELECT"):
            self._is_told = True
            self._told.release()
        return execute(sql, params, many, context)


@pytest.mark.parametrize(("waiting", "seconds"), [(0, 60), (11, 0.01)])
def test_a_flood_of_guesses_is_rejected_as_unavailable(
    waiting: int, seconds: float, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    limiter = ConcurrencyLimiter(at_once=1, waiting=waiting)
    monkeypatch.setattr(sign_in, "_sign_in_limiter", limiter)
    monkeypatch.setattr(rate_limit, "WAIT_SECONDS", seconds)
    with limiter.slot("elsewhere"), pytest.raises(Unavailable):
        check_credentials(request_from(), username=user.username, password=PASSWORD)
    assert check_credentials(request_from(), username=user.username, password=PASSWORD) == user


@pytest.mark.django_db(transaction=True)
def test_a_flood_from_one_address_does_not_block_others(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While as many as it may have hash or wait, all others of its own are refused at once."""
    user, refused = make_user(), threading.Semaphore(0)
    limiter = ConcurrencyLimiter(at_once=1, waiting=11)
    monkeypatch.setattr(sign_in, "_sign_in_limiter", limiter)

    def guess(number: int) -> type[Exception]:
        try:
            check_credentials(request_from(), username=f"nobody-{number}", password="wrong")
        except Unavailable as busy:
            refused.release()
            return type(busy)
        except NotSignedIn as wrong:
            return type(wrong)
        finally:
            connection.close()

    def sign_in_elsewhere() -> User:
        try:
            return check_credentials(
                request_from("192.0.2.2"), username=user.username, password=PASSWORD
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(21) as pool:
        with limiter.slot("192.0.2.3"):  # keeps all the others waiting
            guesses = [pool.submit(guess, number) for number in range(20)]
            assert all(refused.acquire(timeout=60) for _ in range(14))
            honest = pool.submit(sign_in_elsewhere)
        assert honest.result(60) == user
        responses = [guess.result(60) for guess in guesses]
    assert (responses.count(Unavailable), responses.count(NotSignedIn)) == (14, 6)


@pytest.mark.django_db(transaction=True)
def test_hashing_waits_for_a_slot_and_is_rejected_inside_a_transaction(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    monkeypatch.setattr(rate_limit, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(sign_in, "_hash_limiter", ConcurrencyLimiter(at_once=1, waiting=11))
    with sign_in._hash_limiter.slot("others"):
        with pytest.raises(Unavailable):
            hash_password("spruce-bark-7731", user=user)
        with pytest.raises(Unavailable):
            confirm_password(PASSWORD, user=user)
    with transaction.atomic():
        for hash_one in (
            partial(hash_password, "spruce-bark-7731", user=user),
            partial(confirm_password, PASSWORD, user=user),
            partial(check_credentials, request_from(), username=user.username, password=PASSWORD),
        ):
            with pytest.raises(RuntimeError, match="was called inside a transaction"):
                hash_one()


def test_a_password_is_confirmed_and_the_user_not_saved(make_user: MakeUser, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        *settings.PASSWORD_HASHERS,
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
    user = make_user()
    stored = user.password
    user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000)
    confirm_password(PASSWORD, user=user)
    user.refresh_from_db()
    assert user.password == stored  # though Django would hash it anew, and save it


# --- Sessions ------------------------------------------------------------------------------------


def session_user(browser: Browser) -> Any:
    request = HttpRequest()
    request.session = SessionStore(browser.cookies["timba"].value)
    return get_user(request)


@pytest.fixture
def signed_in(make_user: MakeUser) -> tuple[User, Browser]:
    user, browser = make_user(role="viewer"), Browser()
    browser.force_login(user, backend="timba.accounts.sign_in.MemberBackend")
    assert session_user(browser) == user
    return user, browser


def test_a_session_reads_its_user_in_one_query(
    signed_in: tuple[User, Browser], django_assert_num_queries: Any
) -> None:
    _, browser = signed_in
    with django_assert_num_queries(2):  # the session, and the user with client and role
        found = session_user(browser)
        assert (found.client.subscription.status, found.role.name) == ("trial", "viewer")


def test_a_session_ends_with_its_user(signed_in: tuple[User, Browser], make_user: MakeUser) -> None:
    user, browser = signed_in
    owner = make_user()
    change_user(actor=owner, user=user, is_active=False)
    assert session_user(browser).is_anonymous
    change_user(actor=owner, user=user, is_active=True)
    assert session_user(browser).is_anonymous


def test_a_session_ends_with_the_password(
    signed_in: tuple[User, Browser], make_user: MakeUser
) -> None:
    user, browser = signed_in
    change_user(actor=make_user(), user=user, password="spruce-bark-7731")
    assert session_user(browser).is_anonymous


def test_a_session_is_invalid_while_its_client_is_suspended(
    signed_in: tuple[User, Browser],
) -> None:
    user, browser = signed_in
    user.client.is_active = False
    user.client.save()
    assert session_user(browser).is_anonymous
