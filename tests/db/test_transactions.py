"""Slow work is kept out of transactions, and a commit can be deferred."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from timba.accounts.models import User
from timba.db.transactions import deferred_commit, outside_transactions
from timba.notes.models import Note
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def committed() -> list[Any]:
    """Return what is called once a transaction that was begun is committed, none if none is."""
    calls: list[Any] = []
    transaction.on_commit(partial(calls.append, "committed"))
    return calls


def test_a_commit_waits_for_the_end_of_the_block(owner: User) -> None:
    with deferred_commit():
        assert committed() == ["committed"]
        write_note(actor=owner, client=owner.client, title="Seal")
        calls = committed()
        assert calls == []
    assert calls == ["committed"]
    assert Note.unscoped.count() == 1


def test_a_failure_before_the_end_of_the_block_rolls_back(owner: User) -> None:
    def write_and_fail() -> None:
        with deferred_commit():
            write_note(actor=owner, client=owner.client, title="Seal")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert not Note.unscoped.exists()
    assert committed() == ["committed"]


def test_without_such_a_block_a_service_commits_by_itself(owner: User) -> None:
    write_note(actor=owner, client=owner.client, title="Seal")
    assert committed() == ["committed"]


def test_slow_work_refuses_to_run_inside_a_transaction(owner: User, settings: Settings) -> None:
    @outside_transactions
    def wait() -> str:
        return "waited"

    assert wait() == "waited"
    with deferred_commit():
        assert wait() == "waited"
        write_note(actor=owner, client=owner.client, title="Seal")
        with pytest.raises(RuntimeError, match="wait may take long, and was called inside a tr"):
            wait()
        settings.TIMBA_CHECK_TRANSACTIONS = False
        assert wait() == "waited"


@pytest.mark.django_db
def test_the_transaction_of_a_test_case_does_not_count(owner: User) -> None:
    outside_transactions(owner.refresh_from_db)()
