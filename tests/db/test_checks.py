"""Unsafe databases are rejected with a sentence; each check is run against a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connection, connections
from django.db.backends.postgresql.psycopg_any import IsolationLevel

from timba.db.checks import DURABILITY, check_database_durability, check_database_guarantees

FORGETS = "an acknowledged upload could be forgotten in a power cut"
ALIKE = "names that differ in letter case, accents or blanks would be taken for the same"


def summarize(problems: list[CheckMessage]) -> list[tuple[str | None, str]]:
    return [(problem.id, problem.msg) for problem in problems]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def value_of(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def another_connection(*, name: str | None = None, **options: Any) -> Any:
    """Return a connection to this server with other settings, outside the test's transaction."""
    other = connections["default"].copy()
    other.settings_dict["NAME"] = name or other.settings_dict["NAME"]
    other.settings_dict["OPTIONS"] |= options
    return other


def check_other_settings(
    *, name: str | None = None, **options: Any
) -> list[tuple[str | None, str]]:
    """Return the problems of this server when Timba's connections have other settings."""
    usual, other = connections["default"], another_connection(name=name, **options)
    connections["default"] = other
    try:
        return summarize(check_database_guarantees(None, databases=["default"]))
    finally:
        connections["default"] = usual
        other.close()


@pytest.fixture
def make_database(db: None) -> Iterator[Callable[[str], str]]:
    """Return a maker of another database on this server, which returns its name."""
    name = f"{connection.settings_dict['NAME']}_other"
    maker = another_connection()

    def make(how: str) -> str:
        drop()  # what a test that was killed left
        with maker.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} {how}")
        return name

    def drop() -> None:
        with maker.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")

    yield make
    drop()
    maker.close()


def test_unselected_databases_are_not_checked() -> None:
    assert check_database_guarantees(None, databases=None) == []
    assert check_database_durability(None, databases=None) == []


def test_durability_is_checked_before_deploying(db: None) -> None:
    asked = run_checks(tags=[DURABILITY], include_deployment_checks=True, databases=["default"])
    assert summarize(asked) == summarize(check_database_durability(None, databases=["default"]))
    assert run_checks(tags=[DURABILITY], databases=["default"]) == []


@pytest.mark.only_on("sqlite")
class TestSQLite:
    @pytest.mark.parametrize(
        ("pragma", "as_it_should_be", "danger"),
        [
            ("synchronous", "FULL", FORGETS),
            ("foreign_keys", "ON", "rows could point at rows that are gone"),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_a_pragma_that_is_not_in_force_is_refused(
        self, pragma: str, as_it_should_be: str, danger: str
    ) -> None:
        execute(f"PRAGMA {pragma} = OFF")
        try:
            problems = check_database_guarantees(None, databases=["default"])
        finally:
            execute(f"PRAGMA {pragma} = {as_it_should_be}")
        assert summarize(problems) == [("timba.E006", f"SQLite runs with {pragma} = 0: {danger}.")]

    def test_transactions_without_the_lock_to_write_are_refused(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", "DEFERRED")
        [problem] = check_database_guarantees(None, databases=["default"])
        assert problem.id == "timba.E007"

    def test_durability_is_part_of_its_guarantees(self, db: None) -> None:
        assert check_database_durability(None, databases=["default"]) == []


@pytest.mark.only_on("postgresql")
class TestPostgreSQL:
    def test_an_encoding_without_every_letter_is_rejected(
        self, make_database: Callable[[str], str]
    ) -> None:
        latin = "ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        [problem] = check_other_settings(name=make_database(latin))
        sentence = "letters of other alphabets would be refused."
        assert problem == ("timba.E008", f"The database's encoding is LATIN1: {sentence}")

    def test_another_isolation_is_refused(self, db: None) -> None:
        [(code, sentence)] = check_other_settings(isolation_level=IsolationLevel.REPEATABLE_READ)
        assert code == "timba.E009"
        assert sentence == (
            "Transactions are isolated as REPEATABLE READ: "
            "who waited for another's write would not see it."
        )

    def test_cached_sequences_are_rejected(self, db: None) -> None:
        execute("ALTER SEQUENCE events_outboxevent_id_seq CACHE 50")
        [(code, sentence)] = summarize(check_database_guarantees(None, databases=["default"]))
        assert code == "timba.E010"
        assert sentence == (
            "The sequence events_outboxevent_id_seq hands 50 numbers out at once: "
            "events could leave in another order than they were written."
        )

    def test_a_build_without_icu_is_rejected(self, db: None) -> None:
        execute("DELETE FROM pg_collation WHERE collname = 'und-x-icu'")
        [problem] = summarize(check_database_guarantees(None, databases=["default"]))
        assert problem == (
            "timba.E011",
            "This PostgreSQL was built without ICU: it cannot search in every alphabet.",
        )

    def test_a_server_without_durability_is_rejected(self, db: None) -> None:
        """The servers of tests are quick because they may."""
        execute("SET LOCAL synchronous_commit = off")
        settings = ("fsync", "full_page_writes", "synchronous_commit")
        forgetful = [name for name in settings if value_of(f"SHOW {name}") == "off"]
        assert summarize(check_database_durability(None, databases=["default"])) == [
            ("timba.E018", f"PostgreSQL runs with {name} = off: {FORGETS}.") for name in forgetful
        ]


@pytest.mark.only_on("mysql")
class TestMariaDB:
    def test_an_inexact_collation_is_rejected(self, make_database: Callable[[str], str]) -> None:
        careless = make_database("CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        execute(f"CREATE TABLE {careless}.town (name varchar(9), about json)")
        assert check_other_settings(name=careless) == [
            ("timba.E013", f"The database's collation is utf8mb4_general_ci: {ALIKE}."),
            ("timba.E014", f"The table town compares text by utf8mb4_general_ci: {ALIKE}."),
        ]

    def test_a_table_without_transactions_is_refused(
        self, make_database: Callable[[str], str]
    ) -> None:
        careless = make_database("CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        execute(f"CREATE TABLE {careless}.town (name varchar(9)) ENGINE = MyISAM")
        assert check_other_settings(name=careless) == [
            ("timba.E015", "The table town is kept by MyISAM, which knows no transactions.")
        ]

    def test_another_isolation_is_refused(self, db: None) -> None:
        [(code, sentence)] = check_other_settings(isolation_level="repeatable read")
        assert code == "timba.E009"
        assert sentence.startswith("Transactions are isolated as REPEATABLE-READ: ")

    @pytest.mark.parametrize(
        ("setting", "problem"),
        [
            (
                "sql_mode=''",
                ("timba.E016", "what is too long would be cut without a word."),
            ),
            ("time_zone='+05:00'", ("timba.E017", "where Timba takes it for UTC.")),
            (
                "auto_increment_increment=2",
                ("timba.E010", "events could leave in another order than they were written."),
            ),
        ],
    )
    def test_a_session_with_other_settings_is_rejected(
        self, db: None, setting: str, problem: tuple[str, str]
    ) -> None:
        usual = connection.settings_dict["OPTIONS"]["init_command"]
        [(code, sentence)] = check_other_settings(init_command=f"{usual}, {setting}")
        assert code == problem[0]
        assert sentence.endswith(problem[1])

    def test_a_server_that_cannot_search_is_refused(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "get_database_version", lambda: (10, 6, 20))
        assert summarize(check_database_guarantees(None, databases=["default"])) == [
            ("timba.E012", "MariaDB 10.6.20 is too old: it cannot search in every alphabet.")
        ]

    def test_a_server_without_durability_is_rejected(self, db: None) -> None:
        """The servers of tests are quick because they may."""
        expected = {"innodb_flush_log_at_trx_commit": 1, "innodb_doublewrite": 1}
        forgetful = {
            name: found
            for name, wanted in expected.items()
            if (found := value_of(f"SELECT @@GLOBAL.{name}")) != wanted
        }
        assert sorted(summarize(check_database_durability(None, databases=["default"]))) == sorted(
            ("timba.E018", f"MariaDB runs with {name} = {found}: {FORGETS}.")
            for name, found in forgetful.items()
        )
