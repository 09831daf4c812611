"""PostgreSQL from Debian's packages, with a linguistic collation, as most installations have."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from tools.servers.packages import (
    ServerUnavailable,
    find_executable,
    find_version,
    run,
)
from tools.servers.ports import LOOPBACK
from tools.servers.server import Command, Instance, Server

_CONNECTIONS: Final = 200  # enough for several test processes with a connection pool each
# A killed server loses nothing that was committed, because the kernel has it. Only a crash of the
# machine does, and no test outlives one.
_UNSAFE_ON_POWER_LOSS: Final = ("fsync=off", "full_page_writes=off")


class PostgreSQL(Server):
    """A cluster with one database, and one user who may create more."""

    name = "postgres"
    title = "PostgreSQL"
    packages = {"initdb": "postgresql", "pg_isready": "postgresql"}
    service = "postgresql"
    account = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: does not wait for clients to disconnect

    def find(self, executable: str) -> str | None:
        """Prefer the newest version: Debian has a folder for each, outside the search path."""
        folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
        folders.sort(key=lambda folder: float(folder.parent.name), reverse=True)
        for folder in folders:
            if (folder / executable).exists():
                return str(folder / executable)
        return find_executable(executable)

    def version(self) -> str:
        return find_version(run([self.path("postgres"), "--version"], cwd=Path("/")))

    def initialize(self, instance: Instance) -> None:
        password = instance.write("password", instance.password)
        initdb = (
            *(self.path("initdb"), "--pgdata", instance.data, "--no-sync"),
            *("--username", "timba", "--auth", "scram-sha-256", "--pwfile", password),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--locale-provider", "icu", "--icu-locale", "en-US"),
        )
        run(initdb, cwd=instance.folder, account=self.account)
        run(
            (self.path("postgres"), "--single", "-D", instance.data, "postgres"),
            cwd=instance.folder,
            account=self.account,
            stdin="CREATE DATABASE timba\n",
        )

    def configure(self, instance: Instance) -> Command:
        settings = (
            f"listen_addresses={LOOPBACK}",
            f"port={instance.ports[0]}",
            "unix_socket_directories=",
            f"max_connections={_CONNECTIONS}",
            *(() if instance.durable else _UNSAFE_ON_POWER_LOSS),
        )
        options = [option for setting in settings for option in ("-c", setting)]
        return Command(arguments=(self.path("postgres"), "-D", str(instance.data), *options))

    def is_ready(self, instance: Instance) -> bool:
        port = str(instance.ports[0])
        try:
            run((self.path("pg_isready"), "-h", LOOPBACK, "-p", port), cwd=Path("/"))
        except ServerUnavailable:
            return False
        return True

    def timba_variables(self, instance: Instance) -> dict[str, str]:
        return {"DATABASE_URL": _url(instance)}

    def test_variables(self, instance: Instance) -> dict[str, str]:
        return {"TIMBA_TEST_POSTGRES_URL": _url(instance)}


def _url(instance: Instance) -> str:
    return f"postgres://timba:{instance.password}@{instance.address}/timba"
