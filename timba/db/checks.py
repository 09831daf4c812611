"""Refuses a database on which a promise of Timba would not hold, with a sentence that says why.

Every server is asked through the connection that Timba uses, not read off the settings. What only
a power cut would show (a test's server is quick because it forgets then) is asked by
`check --deploy`, and said in the log at every start.
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
_FORGETS: Final = "an acknowledged upload could be forgotten in a power cut"
_SQLITE_PROMISES: Final = {
    "journal_mode": ("wal", "readers would wait for writers"),
    "synchronous": (2, _FORGETS),
    "foreign_keys": (1, "rows could point at rows that are gone"),
}
# What may stand there, and what to set where it does not.
_POSTGRESQL_DURABLE: Final[Mapping[str, tuple[set[str], str]]] = {
    "fsync": ({"on"}, "on"),
    "full_page_writes": ({"on"}, "on"),
    "synchronous_commit": ({"on", "local", "remote_write", "remote_apply"}, "on"),
}
_MARIADB_DURABLE: Final[Mapping[str, tuple[set[str], str]]] = {
    "innodb_flush_log_at_trx_commit": ({"1", "3"}, "1"),
    "innodb_doublewrite": ({"1", "ON", "fast"}, "ON"),
    # Asked only where there is a binary log: at a crash it decides what was committed.
    "sync_binlog": ({"1"}, "1"),
}

Looks = Mapping[str, Callable[[BaseDatabaseWrapper], Iterator[CheckMessage]]]


def check_database_guarantees(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """Text is whole and compared to the letter; rows come in order, and writers one by one."""
    return _found(databases, _LOOKS)


def check_database_durability(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """What was acknowledged survives a power cut."""
    return _found(databases, _DURABILITY_LOOKS)


def _found(databases: Sequence[str] | None, looks: Looks) -> list[CheckMessage]:
    """Return what is wrong with each database, looked at as its vendor needs it."""
    return [
        problem
        for alias in databases or []
        if connections[alias].vendor in looks
        for problem in looks[connections[alias].vendor](connections[alias])
    ]


def _look_at_sqlite(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    for pragma, (wanted, danger) in _SQLITE_PROMISES.items():
        found = _value(connection, f"PRAGMA {pragma}")
        if found != wanted:
            yield Error(
                f"SQLite runs with {pragma} = {found}: {danger}.",
                hint=f"Timba needs {pragma} = {wanted}; keep the OPTIONS that it sets, "
                "and the database on a local disk.",
                id="timba.E006",
            )
    if connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        yield Error(
            "SQLite begins transactions without the lock to write.",
            hint="Set OPTIONS' transaction_mode to IMMEDIATE, or two writers may refuse "
            "each other half-way.",
            id="timba.E007",
        )


def _look_at_postgresql(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    encoding = _value(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        yield Error(
            f"The database's encoding is {encoding}: letters of other alphabets would be refused.",
            hint="Make it anew: CREATE DATABASE timba ENCODING 'UTF8' TEMPLATE template0",
            id="timba.E008",
        )
    # Asked inside a transaction: only there the level that Timba asks for is in force.
    with transaction.atomic(using=connection.alias):
        isolation = _value(connection, "SHOW transaction_isolation")
    yield from _isolation(isolation)
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


def _look_at_mariadb(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
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
    yield from _mariadb_text(connection, collation)
    yield from _isolation(
        _value(connection, f"SELECT @@{'tx' if is_mariadb else 'transaction'}_isolation")
    )
    yield from _mariadb_session(connection)


def _mariadb_text(connection: BaseDatabaseWrapper, collation: str) -> Iterator[CheckMessage]:
    danger = "names that differ in letter case, accents or blanks would be taken for the same"
    [(name, found)] = _rows(
        connection,
        "SELECT schema_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = DATABASE()",
    )
    if found != collation:
        yield Error(
            f"The database's collation is {found}: {danger}.",
            hint=f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE {collation}",
            id="timba.E013",
        )
    # JSON has a collation of its own, and is never compared.
    for table, collations in _rows(
        connection,
        "SELECT table_name, GROUP_CONCAT(DISTINCT collation_name) FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND collation_name <> %s"
        " AND NOT (data_type IN ('json', 'longtext') AND collation_name = 'utf8mb4_bin')"
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


def _mariadb_session(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
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


def _isolation(found: str) -> Iterator[CheckMessage]:
    if found.upper().replace("-", " ") != "READ COMMITTED":
        yield Error(
            f"Transactions are isolated as {found.upper()}: "
            "who waited for another's write would not see it.",
            hint="Keep the OPTIONS that Timba sets: their isolation_level is READ COMMITTED.",
            id="timba.E009",
        )


def _postgresql_durability(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    for setting, (safe, wanted) in _POSTGRESQL_DURABLE.items():
        found = _value(connection, f"SHOW {setting}")
        if found not in safe:
            hint = f"ALTER SYSTEM SET {setting} = {wanted}; SELECT pg_reload_conf()"
            yield _forgetful("PostgreSQL", setting, found, hint)


def _mariadb_durability(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]  # of that backend
    for setting, (safe, wanted) in _MARIADB_DURABLE.items():
        if setting == "sync_binlog" and not _value(connection, "SELECT @@log_bin"):
            continue
        found = str(_value(connection, f"SELECT @@GLOBAL.{setting}"))
        if found not in safe:
            hint = f"Set it in the server's configuration: {setting} = {wanted}"
            yield _forgetful("MariaDB" if is_mariadb else "MySQL", setting, found, hint)


def _forgetful(server: str, setting: str, found: str, hint: str) -> CheckMessage:
    return Error(f"{server} runs with {setting} = {found}: {_FORGETS}.", hint=hint, id="timba.E018")


def _value(connection: BaseDatabaseWrapper, query: str) -> Any:
    return _rows(connection, query)[0][0]


def _rows(
    connection: BaseDatabaseWrapper, query: str, parameters: Sequence[Any] | None = None
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


_LOOKS: Final[Looks] = {
    "sqlite": _look_at_sqlite,
    "postgresql": _look_at_postgresql,
    "mysql": _look_at_mariadb,
}
_DURABILITY_LOOKS: Final[Looks] = {
    "postgresql": _postgresql_durability,
    "mysql": _mariadb_durability,
}
