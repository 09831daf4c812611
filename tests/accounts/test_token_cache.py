"""What is remembered of access tokens, and what makes it forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from timba.accounts import token_cache, tokens
from timba.accounts.models import Client, Role, TokenFamily, User
from timba.accounts.roles import add_role, change_role
from timba.accounts.services import change_client, change_user, delete_user
from timba.accounts.subscriptions import change_subscription
from timba.accounts.token_cache import VerifiedToken, begin_reading, forget_users, verified_tokens
from timba.accounts.tokens import (
    TokenPair,
    get_user_by_access_token,
    issue_tokens,
    revoke_tokens,
    rotate_tokens,
)
from timba.errors import NotSignedIn

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)

Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Return a function that lets the clock of the cache, which otherwise stands, go on."""
    now = [time.monotonic()]
    monkeypatch.setattr(token_cache, "monotonic", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def recent_user(access: str) -> User:
    return get_user_by_access_token(access, recent=True)


def verified(access: str) -> VerifiedToken:
    token = verified_tokens.get(access)
    assert token is not None
    return token


def test_a_token_is_verified_once_and_its_user_read_once_a_second(
    make_user: MakeUser,
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    user = make_user()
    access = issue_tokens(user=user).access
    with django_assert_num_queries(1):
        assert recent_user(access) == user
    monkeypatch.setattr(jwt, "decode", None)
    wait(0.999)
    with django_assert_num_queries(0):
        assert recent_user(access).client.subscription.status == "trial"
        assert recent_user(access).role.name == "owner"
    wait(0.001)
    with django_assert_num_queries(1):
        assert recent_user(access) == user
    with django_assert_num_queries(1):
        assert get_user_by_access_token(access) == user


def test_a_remembered_token_expires(make_user: MakeUser) -> None:
    user = make_user()
    with time_machine.travel(NOON, tick=False) as clock:
        access = issue_tokens(user=user).access
        for seconds, is_valid in ((0, True), (929, True), (930, False), (931, False)):
            clock.move_to(NOON + timedelta(seconds=seconds))
            if is_valid:
                assert recent_user(access) == user
            else:
                with pytest.raises(NotSignedIn, match=r"^The token is invalid or has expired"):
                    recent_user(access)


def test_another_signing_key_ends_remembered_tokens(
    make_user: MakeUser, settings: Settings
) -> None:
    access = issue_tokens(user=make_user()).access
    recent_user(access)
    settings.TIMBA_JWT_KEY = "another key that is long enough for every check"
    with pytest.raises(NotSignedIn):
        recent_user(access)


def test_the_latest_tokens_are_remembered(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = token_cache.TokenCache(max_tokens=3)
    monkeypatch.setattr(tokens, "verified_tokens", cache)
    user = make_user()
    issued = [issue_tokens(user=user).access for _ in range(5)]
    for access in (*issued[:3], issued[0], *issued[3:]):
        recent_user(access)
    assert len(cache) == 3
    assert [cache.get(access) is not None for access in issued] == [True, False, False, True, True]


# --- Changes elsewhere ---------------------------------------------------------------------------


def revoke(user: User) -> None:
    TokenFamily.objects.filter(user=user).update(revoked_at=timezone.now())


def deactivate(user: User) -> None:
    User.unscoped.filter(pk=user.pk).update(is_active=False)


def suspend(user: User) -> None:
    Client.unscoped.filter(pk=user.client_id).update(is_active=False)


def set_password(user: User) -> None:
    User.unscoped.filter(pk=user.pk).update(token_version=user.token_version + 1)


def delete(user: User) -> None:
    User.unscoped.filter(pk=user.pk).delete()


@pytest.mark.parametrize("end", [revoke, deactivate, suspend, set_password, delete])
def test_what_another_process_ends_is_over_within_a_second(
    end: Callable[[User], None], make_user: MakeUser, wait: Wait
) -> None:
    user = make_user()
    access = issue_tokens(user=user).access
    recent_user(access)
    end(user)
    wait(0.999)
    recent_user(access)
    wait(0.001)
    with pytest.raises(NotSignedIn, match=r"^This sign-in is over\. Sign in again\.$"):
        recent_user(access)


def test_a_role_that_another_process_changes_applies_within_a_second(
    make_user: MakeUser, wait: Wait
) -> None:
    user = make_user()
    access = issue_tokens(user=user).access
    recent_user(access)
    User.unscoped.filter(pk=user.pk).update(role=Role.unscoped.get(client=None, name="viewer"))
    assert recent_user(access).role.name == "owner"
    assert get_user_by_access_token(access).role.name == "viewer"  # as writes do
    assert recent_user(access).role.name == "viewer"
    User.unscoped.filter(pk=user.pk).update(role=Role.unscoped.get(client=None, name="manager"))
    wait(1)
    assert recent_user(access).role.name == "manager"


# --- Changes in this process ---------------------------------------------------------------------


@pytest.fixture
def signed_in(make_user: MakeUser) -> tuple[User, TokenPair]:
    """Return an operator whose access token is remembered."""
    user = make_user(role="operator")
    pair = issue_tokens(user=user)
    recent_user(pair.access)
    return user, pair


@pytest.mark.parametrize("end", ["revoke", "deactivate", "set password", "delete", "suspend"])
def test_what_this_process_ends_is_over_at_once(
    end: str, signed_in: tuple[User, TokenPair], make_user: MakeUser, staff: User
) -> None:
    user, pair = signed_in
    owner = make_user()
    changes: dict[str, Callable[[], object]] = {
        "revoke": lambda: revoke_tokens(refresh=pair.refresh),
        "deactivate": lambda: change_user(actor=owner, user=user, is_active=False),
        "set password": lambda: change_user(actor=owner, user=user, password="spruce-bark-7731"),
        "delete": lambda: delete_user(actor=owner, user=user),
        "suspend": lambda: change_client(actor=staff, client=user.client, is_active=False),
    }
    changes[end]()
    with pytest.raises(NotSignedIn, match=r"^This sign-in is over\. Sign in again\.$"):
        recent_user(pair.access)


def test_a_late_reuse_of_a_refresh_token_ends_its_access_tokens_at_once(
    make_user: MakeUser,
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        pair = issue_tokens(user=make_user())
        rotated = rotate_tokens(refresh=pair.refresh)
        recent_user(rotated.access)
        clock.shift(11)
        with pytest.raises(NotSignedIn):
            rotate_tokens(refresh=pair.refresh)
        with pytest.raises(NotSignedIn, match=r"^This sign-in is over\. Sign in again\.$"):
            recent_user(rotated.access)


def test_another_role_subscription_or_client_name_applies_at_once(
    signed_in: tuple[User, TokenPair], make_user: MakeUser, staff: User
) -> None:
    user, pair = signed_in
    owner = make_user()
    role = add_role(actor=owner, client=owner.client, name="scaler", permissions=["logs.write"])
    change_user(actor=owner, user=user, role=role)
    assert recent_user(pair.access).role.permissions == ["logs.write"]
    change_role(actor=owner, role=role, permissions=["notes.write"])
    assert recent_user(pair.access).role.permissions == ["notes.write"]
    change_client(actor=owner, client=owner.client, name="Osier")
    assert recent_user(pair.access).client.name == "Osier"
    change_subscription(actor=staff, client=owner.client, status="lapsed")
    assert recent_user(pair.access).client.subscription.status == "lapsed"


def test_a_user_read_before_a_change_is_not_remembered_after_it(
    signed_in: tuple[User, TokenPair],
) -> None:
    user, pair = signed_in
    reading = begin_reading()
    forget_users()
    verified(pair.access).remember_user(user, reading)
    assert verified(pair.access).user is None


def test_a_user_read_before_the_commit_of_a_change_is_forgotten_by_it(
    signed_in: tuple[User, TokenPair],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user, pair = signed_in
    with django_capture_on_commit_callbacks(execute=True):
        forget_users()
        verified(pair.access).remember_user(user, begin_reading())  # in another thread
        assert verified(pair.access).user == user
    assert verified(pair.access).user is None
