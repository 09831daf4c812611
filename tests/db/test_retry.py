"""Transactions that lose a conflict are retried."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from timba.db.transactions import retry_on_deadlock, yield_to_writers

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


class Postgres(Exception):
    """What psycopg raises beneath Django's error."""

    sqlstate = "40001"


def serialization_failure() -> OperationalError:
    error = OperationalError("could not serialize access due to concurrent update")
    error.__cause__ = Postgres()
    return error


def failing(*failures: Exception) -> tuple[list[int], object]:
    """Return a count of calls and a write that fails so often, then succeeds."""
    pending, calls = list(failures), []

    @retry_on_deadlock
    def write() -> str:
        calls.append(1)
        if pending:
            raise pending.pop(0)
        return "written"

    return calls, write


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failure", [DEADLOCK, serialization_failure()])
def test_a_lost_transaction_is_retried_from_its_start(failure: OperationalError) -> None:
    calls, write = failing(failure, failure)
    assert write() == "written"
    assert len(calls) == 3


@pytest.mark.django_db(transaction=True)
def test_it_fails_after_four_attempts() -> None:
    calls, write = failing(*[DEADLOCK] * 9)
    with pytest.raises(OperationalError):
        write()
    assert len(calls) == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failure", [OperationalError("server is gone"), IntegrityError(1213)])
def test_other_errors_are_not_retried(failure: Exception) -> None:
    calls, write = failing(failure)
    with pytest.raises(type(failure)):
        write()
    assert len(calls) == 1


@pytest.mark.django_db(transaction=True)
def test_a_nested_call_is_not_retried() -> None:
    calls, write = failing(DEADLOCK)
    with pytest.raises(OperationalError), transaction.atomic():
        write()
    assert len(calls) == 1


@pytest.mark.django_db
def test_yielding_sleeps_on_sqlite_only(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("timba.db.transactions.time.sleep", slept.append)
    yield_to_writers(0.25)
    assert slept == ([0.25] if connection.vendor == "sqlite" else [])
