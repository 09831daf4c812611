"""Expired rows of all clients are deleted, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from tests.conftest import MakeUser
from tests.factories import PASSWORD
from timba.accounts import purging
from timba.accounts.models import RateLimit, RefreshToken, TokenFamily, User
from timba.accounts.tokens import issue_tokens, rotate_tokens
from timba.files.sweeping import sweep_files

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def sign_in(user: User, password: str = PASSWORD) -> None:
    Browser().post("/login/", {"username": user.username, "password": password})


def counts() -> dict[str, int]:
    models: list[Any] = [Session, TokenFamily, RefreshToken, AccessAttempt, RateLimit]
    return {model.__name__: model.objects.count() for model in models}


def test_expired_rows_of_all_clients_are_purged(make_user: MakeUser) -> None:
    anna, berta = make_user(), make_user()
    with time_machine.travel(START, tick=False) as clock:
        for user in (anna, berta):
            sign_in(user)
            sign_in(user, "wrong")
            issue_tokens(user=user)
        clock.shift(timedelta(minutes=14))
        sweep_files()
        assert counts() == {
            "Session": 2, "TokenFamily": 2, "RefreshToken": 2, "AccessAttempt": 2, "RateLimit": 1,
        }  # fmt: skip
        clock.move_to(START + timedelta(days=6))
        kept = issue_tokens(user=anna)
        clock.move_to(START + timedelta(days=7, seconds=31))
        sweep_files()
        assert counts() == {
            "Session": 2, "TokenFamily": 1, "RefreshToken": 1, "AccessAttempt": 0, "RateLimit": 0,
        }  # fmt: skip
        assert rotate_tokens(refresh=kept.refresh)
        clock.move_to(START + timedelta(days=14, seconds=1))
        sweep_files()
        assert Session.objects.count() == 0


def test_a_token_family_stays_while_one_of_its_tokens_is_valid(make_user: MakeUser) -> None:
    with time_machine.travel(START, tick=False) as clock:
        pair = issue_tokens(user=make_user())
        clock.shift(timedelta(days=6))
        pair = rotate_tokens(refresh=pair.refresh)
        clock.shift(timedelta(days=6))
        purging.purge_expired()
        assert (TokenFamily.objects.count(), RefreshToken.objects.count()) == (1, 1)
        assert rotate_tokens(refresh=pair.refresh)


def test_each_run_deletes_a_batch_oldest_first(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "_BATCH", 2)
    with time_machine.travel(START, tick=False) as clock:
        for number in range(3):
            RateLimit.objects.create(key=f"{number}", expires_at=START - timedelta(hours=number))
            issue_tokens(user=make_user())
            clock.shift(60)
        clock.shift(timedelta(days=8))
        purging.purge_expired()
        assert (RateLimit.objects.get().key, TokenFamily.objects.count()) == ("0", 1)
        purging.purge_expired()
        assert (RateLimit.objects.count(), TokenFamily.objects.count()) == (0, 0)


def test_a_failing_purge_does_not_stop_the_others(settings: Any, db: None) -> None:
    settings.PURGES = ["timba.accounts.purging.nothing", *settings.PURGES]
    RateLimit.objects.create(key="old", expires_at=START - timedelta(days=365))
    sweep_files()
    assert not RateLimit.objects.exists()
