"""System checks: reject a database whose settings would break a guarantee of Timba.

The checks query the server through Timba's own connection instead of reading the settings. Only
`check --deploy` checks durability, because the servers of tests trade it for speed; every start
logs its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from timba.db.connections import MARIADB_COLLATION, MYSQL_COLLATION

DURABILITY: Final = "durability"
_OLDEST_MARIADB: Final = (10, 11)
_DATA_LOSS: Final = "an acknowledged upload could be forgotten in a power cut"
_SQLITE_REQUIREMENTS: Final = {
    "journal_mode": ("wal", "readers would wait for writers"),
    "synchronous": (2, _DATA_LOSS),
    "foreign_keys": (1, "rows could point at rows that are gone"),
}
# By setting: the safe values, and the value to recommend.
_POSTGRESQL_DURABLE: Final[Mapping[str, tuple[set[str], str]]] = {
    "fsync": ({"on"}, "on"),
    "full_page_writes": ({"on"}, "on"),
    "synchronous_commit": ({"on", "local", "remote_write", "remote_apply"}, "on"),
}
_MARIADB_DURABLE: Final[Mapping[str, tuple[set[str], str]]] = {
    "innodb_flush_log_at_trx_commit": ({"1", "3"}, "1"),
    "innodb_doublewrite": ({"1", "ON", "fast"}, "ON"),
    # Checked only if there is a binary log: after a crash, the log decides what was committed.
    "sync_binlog": ({"1"}, "1"),
}

Checks = Mapping[str, Callable[[BaseDatabaseWrapper], Iterator[CheckMessage]]]


def check_database_guarantees(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """Check encodings, exact comparison of text, isolation, and ids in the order of commits."""
    return _run_checks(databases, _GUARANTEE_CHECKS)


def check_database_durability(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """Check that acknowledged writes survive a power failure."""
    return _run_checks(databases, _DURABILITY_CHECKS)


def _run_checks(databases: Sequence[str] | None, checks: Checks) -> list[CheckMessage]:
    """Run the checks of each database's vendor."""
    return [
        problem
        for alias in databases or []
        if connections[alias].vendor in checks
        for problem in checks[connections[alias].vendor](connections[alias])
    ]


def _check_sqlite(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    for pragma, (expected, danger) in _SQLITE_REQUIREMENTS.items():
        actual = _value(connection, f"PRAGMA {pragma}")
        if actual != expected:
            yield Error(
                f"SQLite runs with {pragma} = {actual}: {danger}.",
                hint=f"Timba needs {pragma} = {expected}; keep the OPTIONS that it sets, "
                "and the database on a local disk.",
                id="timba.E006",
            )
    if connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        yield Error(
            "SQLite begins transactions without the lock to write.",
            hint="Set OPTIONS' transaction_mode to IMMEDIATE; otherwise concurrent writers may "
            "fail half-way.",
            id="timba.E007",
        )


def _check_postgresql(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    encoding = _value(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        yield Error(
            f"The database's encoding is {encoding}: letters of other alphabets would be refused.",
            hint="Recreate it: CREATE DATABASE timba ENCODING 'UTF8' TEMPLATE template0",
            id="timba.E008",
        )
    # The isolation level that Timba requests is only in force inside a transaction.
    with transaction.atomic(using=connection.alias):
        isolation = _value(connection, "SHOW transaction_isolation")
    yield from _check_isolation(isolation)
    for name, cached in _rows(
        connection,
        "SELECT sequencename, cache_size FROM pg_sequences"
        " WHERE cache_size > 1 AND schemaname = ANY (current_schemas(false))",
    ):
        yield Error(
            f"The sequence {name} hands {cached} numbers out at once: "
            "events could leave in another order than they were written.",
            hint=f"ALTER SEQUENCE {name} CACHE 1",
            id="timba.E010",
        )
    if not _rows(connection, "SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'"):
        yield Error(
            "This PostgreSQL was built without ICU: it cannot search in every alphabet.",
            hint="Use a build with ICU, as those of Debian and of the PostgreSQL project are.",
            id="timba.E011",
        )


def _check_mariadb(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]  # of that backend
    collation = MARIADB_COLLATION if is_mariadb else MYSQL_COLLATION
    version = connection.get_database_version()
    if is_mariadb and version < _OLDEST_MARIADB:
        yield Error(
            f"MariaDB {'.'.join(map(str, version))} is too old: "
            "it cannot search in every alphabet.",
            hint=f"Use MariaDB {'.'.join(map(str, _OLDEST_MARIADB))} or later.",
            id="timba.E012",
        )
    yield from _check_mariadb_text(connection, collation)
    yield from _check_isolation(
        _value(connection, f"SELECT @@{'tx' if is_mariadb else 'transaction'}_isolation")
    )
    yield from _check_mariadb_session(connection)


def _check_mariadb_text(connection: BaseDatabaseWrapper, collation: str) -> Iterator[CheckMessage]:
    danger = "names that differ in letter case, accents or blanks would be taken for the same"
    [(name, actual)] = _rows(
        connection,
        "SELECT schema_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = DATABASE()",
    )
    if actual != collation:
        yield Error(
            f"The database's collation is {actual}: {danger}.",
            hint=f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE {collation}",
            id="timba.E013",
        )
    # JSON columns have their own collation; they are never compared. Words in ASCII, which are
    # searched, are compared exactly.
    for table, collations in _rows(
        connection,
        "SELECT table_name, GROUP_CONCAT(DISTINCT collation_name) FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND collation_name <> %s"
        " AND NOT (data_type IN ('json', 'longtext')"
        " AND collation_name IN ('utf8mb4_bin', 'ascii_bin'))"
        " GROUP BY table_name",
        [collation],
    ):
        yield Error(
            f"The table {table} compares text by {collations}: {danger}.",
            hint=f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}",
            id="timba.E014",
        )
    for table, engine in _rows(
        connection,
        "SELECT table_name, engine FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'",
    ):
        yield Error(
            f"The table {table} is kept by {engine}, which knows no transactions.",
            hint=f"ALTER TABLE {table} ENGINE = InnoDB",
            id="timba.E015",
        )


def _check_mariadb_session(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    [(modes, zone, step)] = _rows(
        connection, "SELECT @@sql_mode, @@time_zone, @@auto_increment_increment"
    )
    if not {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"} & set(modes.split(",")):
        yield Error(
            "The server is not strict: what is too long would be cut without a word.",
            hint="Keep the OPTIONS that Timba sets: its init_command sets sql_mode.",
            id="timba.E016",
        )
    if zone != "+00:00":
        yield Error(
            f"The server tells the time of {zone} where Timba takes it for UTC.",
            hint="Keep the OPTIONS that Timba sets: its init_command sets time_zone.",
            id="timba.E017",
        )
    if step != 1:
        yield Error(
            f"The server counts in steps of {step}, as several that are written to at once do: "
            "events could leave in another order than they were written.",
            hint="Let Timba write to one server: SET GLOBAL auto_increment_increment = 1",
            id="timba.E010",
        )


def _check_isolation(actual: str) -> Iterator[CheckMessage]:
    if actual.upper().replace("-", " ") != "READ COMMITTED":
        yield Error(
            f"Transactions are isolated as {actual.upper()}: "
            "who waited for another's write would not see it.",
            hint="Keep the OPTIONS that Timba sets: their isolation_level is READ COMMITTED.",
            id="timba.E009",
        )


def _check_postgresql_durability(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    for setting, (safe_values, recommended) in _POSTGRESQL_DURABLE.items():
        actual = _value(connection, f"SHOW {setting}")
        if actual not in safe_values:
            hint = f"ALTER SYSTEM SET {setting} = {recommended}; SELECT pg_reload_conf()"
            yield _durability_error("PostgreSQL", setting, actual, hint)


def _check_mariadb_durability(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]  # of that backend
    for setting, (safe_values, recommended) in _MARIADB_DURABLE.items():
        if setting == "sync_binlog" and not _value(connection, "SELECT @@log_bin"):
            continue
        actual = str(_value(connection, f"SELECT @@GLOBAL.{setting}"))
        if actual not in safe_values:
            hint = f"Set it in the server's configuration: {setting} = {recommended}"
            yield _durability_error("MariaDB" if is_mariadb else "MySQL", setting, actual, hint)


def _durability_error(server: str, setting: str, actual: str, hint: str) -> CheckMessage:
    return Error(
        f"{server} runs with {setting} = {actual}: {_DATA_LOSS}.", hint=hint, id="timba.E018"
    )


def _value(connection: BaseDatabaseWrapper, query: str) -> Any:
    return _rows(connection, query)[0][0]


def _rows(
    connection: BaseDatabaseWrapper, query: str, parameters: Sequence[Any] | None = None
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


_GUARANTEE_CHECKS: Final[Checks] = {
    "sqlite": _check_sqlite,
    "postgresql": _check_postgresql,
    "mysql": _check_mariadb,
}
_DURABILITY_CHECKS: Final[Checks] = {
    "postgresql": _check_postgresql_durability,
    "mysql": _check_mariadb_durability,
}
