"""Failures of a real database are errors, logged, and recover; a defect is a 500."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import task_prerun
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections, transaction

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.database_faults import break_connection_at, replace_in_sql
from tests.journeys.processes import wait_until
from timba.accounts.models import Client
from timba.config.celery import app as celery_app
from timba.db import errors, server_connections
from timba.db.errors import is_database_outage, is_disk_full

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_logged_at", {})


def ask(sql: str = "SELECT 1") -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def cut_by_the_server() -> None:
    """Have the server end this connection, as at its restart."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        else:
            cursor.execute("SELECT CONNECTION_ID()")
            cursor.execute(f"KILL CONNECTION {cursor.fetchone()[0]}")


def session_id() -> int:
    """Return the server's number of this connection."""
    is_postgresql = connection.vendor == "postgresql"
    number: int = value_of(f"SELECT {'pg_backend_pid' if is_postgresql else 'CONNECTION_ID'}()")
    return number


def value_of(sql: str, database: Any = connection) -> Any:
    with database.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def cut_by_another(session: int) -> None:
    """Have the server end a connection, and return when it has."""
    sql = f"KILL CONNECTION {session}"
    if connection.vendor == "postgresql":
        sql = f"SELECT pg_terminate_backend({session}, 10000)"
    with closing(connections[DEFAULT_DB_ALIAS].copy()) as another:
        with another.cursor() as cursor:
            cursor.execute(sql)
        if connection.vendor == "mysql":
            count = f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {session}"
            wait_until(lambda: value_of(count, another) == 0, seconds=10, what="it has ended")


def checks_by_the_server() -> int:
    """Return how often the server was asked whether this connection works."""
    if connection.vendor == "mysql":
        sql = (
            "SELECT variable_value FROM information_schema.session_status"
            " WHERE variable_name = 'Com_admin_commands'"
        )
        return int(value_of(sql))
    # Django's check is the query that the server knows as the last one of this connection.
    session = connection.connection.info.backend_pid
    with closing(connections[DEFAULT_DB_ALIAS].copy()) as another:
        last = value_of(f"SELECT query FROM pg_stat_activity WHERE pid = {session}", another)
    return int(last == "SELECT 1")


def asks_the_server() -> bool:
    """Return whether a check of this connection is a query."""
    ask("SELECT 'something else'")
    before = checks_by_the_server()
    assert connection.is_usable()
    return checks_by_the_server() > before


def closed_beneath_django() -> None:
    connection.ensure_connection()
    connection.connection.close()
    ask()


def refused_a_write() -> None:
    """Have the database refuse to be written to, as on a file system that became read-only."""
    read_only = {
        "sqlite": "PRAGMA query_only=ON",
        "postgresql": "SET TRANSACTION READ ONLY",
    }
    with transaction.atomic():
        ask(read_only[connection.vendor])
        ask("DELETE FROM notes_note")


def filled_up() -> None:
    ask("PRAGMA max_page_count=1")
    ask("CREATE TABLE too_much AS SELECT zeroblob(100 << 20)")


def close_first(execute: Callable[..., object], *arguments: object) -> object:
    connection.connection.close()
    return execute(*arguments)


def in_a_transaction(act: Callable[[], None]) -> Callable[[], None]:
    def wrapped() -> None:
        with transaction.atomic():
            act()

    return wrapped


def error_of(act: Callable[[], None]) -> Exception:
    with pytest.raises(errors.database_errors()) as raised:
        act()
    errors.drop_connection()
    return raised.value


@pytest.mark.only_on("postgresql", "mysql")
def test_a_connection_that_the_server_cuts_is_an_outage() -> None:
    assert is_database_outage(error_of(cut_by_the_server))
    assert is_database_outage(error_of(in_a_transaction(cut_by_the_server)))
    ask()


@pytest.mark.only_on("postgresql", "mysql")
def test_a_connection_that_was_cut_a_moment_after_its_last_use_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_connections, "_CHECK_SECONDS", 3600)
    session = session_id()
    assert connection.is_usable()
    close_old_connections()
    assert session_id() == session
    cut_by_another(session)
    close_old_connections()  # as Django does between two requests
    assert session_id() != session


@pytest.mark.only_on("postgresql", "mysql")
def test_a_celery_task_begins_with_a_connection_that_works() -> None:
    fixup = DjangoWorkerFixup(celery_app)
    session = session_id()
    fixup.close_database()  # as Celery does before and after each task
    assert session_id() == session
    cut_by_another(session)
    task_prerun.send(sender=None)
    assert session_id() != session


@pytest.mark.only_on("postgresql", "mysql")
def test_a_server_is_asked_once_a_second_whether_a_connection_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_connections, "_CHECK_SECONDS", 0)
    assert asks_the_server()
    monkeypatch.setattr(server_connections, "_CHECK_SECONDS", 3600)
    assert not asks_the_server()
    # After an error, which may have left the connection in any state.
    with pytest.raises(errors.database_errors()):
        ask("SELECT 1 FROM nowhere")
    assert asks_the_server()


@pytest.mark.only_on("postgresql", "mysql")
def test_a_connection_that_this_side_has_closed_is_not_usable() -> None:
    ask()
    assert connection.is_usable()
    connection.connection.close()
    assert not connection.is_usable()
    errors.drop_connection()


@pytest.mark.parametrize("act", [closed_beneath_django, in_a_transaction(closed_beneath_django)])
def test_a_connection_that_is_closed_is_an_outage(act: Callable[[], None]) -> None:
    assert is_database_outage(error_of(act))
    ask()


def test_a_query_of_the_orm_on_a_connection_that_is_closed_is_an_outage() -> None:
    """There Django lets through what the driver raises when the cursor is closed."""
    with connection.execute_wrapper(close_first):
        assert is_database_outage(error_of(lambda: print(Client.unscoped.first())))
    ask()


@pytest.mark.only_on("sqlite", "postgresql")
def test_a_database_that_is_read_only_is_an_outage() -> None:
    assert is_database_outage(error_of(refused_a_write))


@pytest.mark.only_on("sqlite")
def test_a_database_that_is_full_is_an_outage() -> None:
    full = error_of(filled_up)
    assert is_database_outage(full)
    assert is_disk_full(full)


@pytest.mark.parametrize("sql", ["SELECT nothing FROM notes_note", "SELECT 1 FROM nowhere", "("])
def test_a_missing_table_is_a_defect(sql: str) -> None:
    assert not is_database_outage(error_of(lambda: ask(sql)))


def test_a_defect_is_a_500_with_its_traceback_in_the_log(
    make_user: MakeUser, caplog: pytest.LogCaptureFixture
) -> None:
    api_client = api_client_of(make_user())
    api_client.raise_request_exception = False
    with connection.execute_wrapper(replace_in_sql("notes_note", "nowhere")):
        response = api_client.get("/api/notes/")
    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "Internal Server Error: /api/notes/"
    ]


def test_an_outage_is_a_503_and_its_cause_is_logged_once(
    make_user: MakeUser, caplog: pytest.LogCaptureFixture
) -> None:
    api_client = api_client_of(make_user())
    for _ in range(3):
        with connection.execute_wrapper(break_connection_at("notes_note")):
            assert api_client.get("/api/notes/").status_code == 503
        errors.drop_connection()
    assert len([r for r in caplog.records if r.name == "timba.db.errors"]) == 1
    assert api_client.get("/api/notes/").status_code == 200
