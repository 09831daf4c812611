"""Tokens: their use, rotation and revocation."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.db import connection

from tests.conftest import MakeUser
from timba.accounts.models import RefreshToken, User
from timba.accounts.services import change_user, delete_user
from timba.accounts.tokens import (
    TokenPair,
    get_user_by_access_token,
    issue_tokens,
    revoke_tokens,
    rotate_tokens,
)
from timba.errors import NotSignedIn

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
Verb = Callable[[str], Any]


def refresh(token: str) -> TokenPair:
    return rotate_tokens(refresh=token)


def revoke(token: str) -> None:
    revoke_tokens(refresh=token)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def forge(token: str, *, key: str | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**claims_of(token), **changes}.items() if value}
    return jwt.encode(claims, key or settings.TIMBA_JWT_KEY, algorithm="HS256")


def unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    return f"{header.decode().rstrip('=')}.{token.split('.')[1]}."


def test_an_access_token_names_its_user_in_one_query(
    make_user: MakeUser, django_assert_num_queries: Any
) -> None:
    user = make_user(role="viewer")
    access = issue_tokens(user=user).access
    with django_assert_num_queries(1):
        found = get_user_by_access_token(access)
        assert found == user
        assert (found.client.subscription.status, found.role.name) == ("trial", "viewer")


def test_tokens_carry_neither_role_nor_client(make_user: MakeUser) -> None:
    pair = issue_tokens(user=make_user())
    for token in (pair.access, pair.refresh):
        assert set(claims_of(token)) == {
            "typ", "sub", "sid", "ver", "jti", "iat", "exp", "iss", "aud",
        }  # fmt: skip


def test_access_tokens_live_15_minutes_and_refresh_tokens_a_week(make_user: MakeUser) -> None:
    user = make_user()
    with time_machine.travel(START, tick=False) as clock:
        pair = issue_tokens(user=user)
        clock.move_to(START + timedelta(minutes=15, seconds=29))
        assert get_user_by_access_token(pair.access) == user
        clock.move_to(START + timedelta(minutes=15, seconds=30))
        with pytest.raises(NotSignedIn):
            get_user_by_access_token(pair.access)
        clock.move_to(START + timedelta(days=7, seconds=29))
        pair = refresh(pair.refresh)
        clock.move_to(START + timedelta(days=14, seconds=59))
        with pytest.raises(NotSignedIn):
            refresh(pair.refresh)


@pytest.mark.parametrize("verb", [get_user_by_access_token, refresh, revoke])
def test_forged_tokens_are_refused(verb: Verb, make_user: MakeUser) -> None:
    pair = issue_tokens(user=make_user())
    good = pair.access if verb is get_user_by_access_token else pair.refresh
    wrong_kind = pair.refresh if verb is get_user_by_access_token else pair.access
    forgeries = {
        "nothing": "",
        "no token": "x.y.z",
        "another kind": wrong_kind,
        "unsigned": unsigned(good),
        "another key": forge(good, key="another key that is long enough for every check"),
        "the secret of sessions": forge(good, key=settings.SECRET_KEY),
        "another issuer": forge(good, iss="elsewhere"),
        "another audience": forge(good, aud="elsewhere"),
        "no issuer": forge(good, iss=None),
        "no audience": forge(good, aud=None),
        "expired": forge(good, exp=1),
        "no expiry": forge(good, exp=None),
        "no time of issue": forge(good, iat=None),
        "issued in an hour": forge(good, iat=claims_of(good)["iat"] + 3600),
        "no kind": forge(good, typ=None),
        "no user": forge(good, sub=None),
        "no version": forge(good, ver=None),
        "no sign-in": forge(good, sid=None),
        "no id": forge(good, jti=None),
        "no uuid": forge(good, sid="7"),
        "a list": forge(good, sid=["7"]),
        "cut": good[:-4],
        "longer": good + "A",
        "two": f"{good} {good}",
        "another alphabet": "ā" + good,
        "half a surrogate": "\ud800" + good,
    }
    for name, forgery in forgeries.items():
        with pytest.raises(NotSignedIn):
            pytest.fail(f"{name} was accepted: {verb(forgery)}")
    verb(good)


@pytest.mark.parametrize("verb", [get_user_by_access_token, refresh])
def test_a_valid_token_with_an_unknown_family_or_user_is_rejected(
    verb: Verb, make_user: MakeUser
) -> None:
    pair = issue_tokens(user=make_user())
    good = pair.access if verb is get_user_by_access_token else pair.refresh
    for forgery in (forge(good, sid=str(uuid.uuid4())), forge(good, sub=str(make_user().pk))):
        with pytest.raises(NotSignedIn, match=r"^This sign-in is over"):
            verb(forgery)


# --- Rotation ------------------------------------------------------------------------------------


def test_a_refresh_token_can_be_used_once(make_user: MakeUser) -> None:
    user = make_user()
    first = issue_tokens(user=user)
    second = refresh(first.refresh)
    assert second.refresh != first.refresh
    with pytest.raises(NotSignedIn, match=r"^This refresh token was used before"):
        refresh(first.refresh)
    assert get_user_by_access_token(refresh(second.refresh).access) == user


def test_a_reuse_within_ten_seconds_revokes_nothing(make_user: MakeUser) -> None:
    user = make_user()
    with time_machine.travel(START, tick=False) as clock:
        first = issue_tokens(user=user)
        second = refresh(first.refresh)
        clock.shift(10)
        with pytest.raises(NotSignedIn):
            refresh(first.refresh)
        assert get_user_by_access_token(second.access) == user
        assert refresh(second.refresh)


def test_a_reuse_after_ten_seconds_revokes_the_family(make_user: MakeUser) -> None:
    user = make_user()
    with time_machine.travel(START, tick=False) as clock:
        first, other = issue_tokens(user=user), issue_tokens(user=user)
        second = refresh(first.refresh)
        third = refresh(second.refresh)
        clock.shift(10.001)
        with pytest.raises(NotSignedIn):
            refresh(first.refresh)
        for pair in (second, third):
            with pytest.raises(NotSignedIn):
                get_user_by_access_token(pair.access)
            with pytest.raises(NotSignedIn):
                refresh(pair.refresh)
        assert get_user_by_access_token(other.access) == user


@pytest.mark.django_db(transaction=True)
def test_of_twenty_parallel_refreshes_one_wins(make_user: MakeUser) -> None:
    user = make_user()
    pair = issue_tokens(user=user)

    def attempt(_: int) -> TokenPair | None:
        try:
            return refresh(pair.refresh)
        except NotSignedIn:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        won = [new for new in pool.map(attempt, range(20)) if new]
    assert len(won) == 1
    assert get_user_by_access_token(won[0].access) == user
    assert RefreshToken.objects.filter(used_at__isnull=True).count() == 1


# --- What ends a sign-in -------------------------------------------------------------------------


def test_revoking_ends_one_sign_in_and_may_be_repeated(make_user: MakeUser) -> None:
    user = make_user()
    pair, other = issue_tokens(user=user), issue_tokens(user=user)
    rotated = refresh(pair.refresh)
    for token in (pair.refresh, rotated.refresh, rotated.refresh):
        revoke(token)
        with pytest.raises(NotSignedIn, match=r"^This sign-in is over"):
            get_user_by_access_token(rotated.access)
        with pytest.raises(NotSignedIn, match=r"^This sign-in is over"):
            refresh(rotated.refresh)
    assert get_user_by_access_token(other.access) == user


def deactivate(user: User, owner: User) -> None:
    change_user(actor=owner, user=user, is_active=False)


def reactivate(user: User, owner: User) -> None:
    deactivate(user, owner)
    change_user(actor=owner, user=user, is_active=True)


def delete(user: User, owner: User) -> None:
    delete_user(actor=owner, user=user)


def set_password(user: User, owner: User) -> None:
    change_user(actor=owner, user=user, password="spruce-bark-7731")


def suspend(user: User, owner: User) -> None:
    owner.client.is_active = False
    owner.client.save()


@pytest.mark.parametrize("end", [deactivate, reactivate, delete, set_password, suspend])
def test_revoked_access_takes_effect_at_once(
    end: Callable[[User, User], None], make_user: MakeUser
) -> None:
    user, owner = make_user(role="viewer"), make_user()
    pair = issue_tokens(user=user)
    end(user, owner)
    with pytest.raises(NotSignedIn):
        get_user_by_access_token(pair.access)
    with pytest.raises(NotSignedIn):
        refresh(pair.refresh)


def test_tokens_issued_for_the_old_password_are_invalid(
    make_user: MakeUser,
) -> None:
    user = make_user(role="viewer")
    set_password(user, make_user())
    with pytest.raises(NotSignedIn):
        get_user_by_access_token(
            issue_tokens(user=user).access
        )  # `user` was read before the change
