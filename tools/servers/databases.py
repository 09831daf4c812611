"""PostgreSQL, MariaDB and Redis from Debian's packages."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from tools.servers.machine import LOOPBACK, find_executable, find_version, run
from tools.servers.server import Server

# enough for several test processes with a connection for each of their threads
_CONNECTIONS: Final = 200
# A killed server loses nothing that was committed, because the kernel has it. Only a crash of the
# machine does, and no test outlives one.
_UNSAFE_POSTGRESQL: Final = ("fsync=off", "full_page_writes=off")
_UNSAFE_MARIADB: Final = ("--innodb-flush-log-at-trx-commit=2", "--skip-innodb-doublewrite")
# Run at every start, before connections are accepted. A new installation has no root password.
_INIT: Final = """\
DELETE FROM mysql.global_priv WHERE User = 'root';
FLUSH PRIVILEGES;
CREATE DATABASE IF NOT EXISTS timba CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE USER IF NOT EXISTS timba@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO timba@'127.0.0.1';
"""


class PostgreSQL(Server):
    """A cluster with a linguistic collation, and one user who may create databases."""

    name = "postgres"
    title = "PostgreSQL"
    url = "postgres://timba:{password}@{address}/timba"
    settings = {"DATABASE_URL": "{url}"}
    packages = {"initdb": "postgresql"}
    service = "postgresql"
    account = "postgres"
    stop_signal = signal.SIGQUIT  # ends at once, but not without its shared memory

    def find(self, executable: str) -> str | None:
        """Prefer the newest version: Debian has a folder for each, outside the search path."""
        folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
        folders.sort(key=lambda folder: float(folder.parent.name), reverse=True)
        for folder in folders:
            if (folder / executable).exists():
                return str(folder / executable)
        return find_executable(executable)

    def version(self) -> str:
        return find_version(run((self.path("postgres"), "--version")))

    def initialize(self) -> None:
        password = self.write("password", self.password)
        initdb = (
            *(self.path("initdb"), "--pgdata", self.data, "--no-sync"),
            *("--username", "timba", "--auth", "scram-sha-256", "--pwfile", password),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--locale-provider", "icu", "--icu-locale", "en-US"),
        )
        run(initdb, cwd=self.folder, account=self.account)
        run(
            (self.path("postgres"), "--single", "-D", self.data, "postgres"),
            cwd=self.folder,
            account=self.account,
            stdin="CREATE DATABASE timba\n",
        )

    def configure(self) -> tuple[str, ...]:
        settings = (
            f"listen_addresses={LOOPBACK}",
            f"port={self.ports[0]}",
            "unix_socket_directories=",
            f"max_connections={_CONNECTIONS}",
            *(() if self.durable else _UNSAFE_POSTGRESQL),
        )
        options = (option for setting in settings for option in ("-c", setting))
        return (self.path("postgres"), "-D", str(self.data), *options)

    def is_ready(self) -> bool:
        return "ready" in (self.data / "postmaster.pid").read_text()


class MariaDB(Server):
    """A server with Debian's collation, and one user who may create databases.

    Timba's own database has a binary collation.
    """

    name = "mariadb"
    title = "MariaDB"
    url = "mysql://timba:{password}@{address}/timba"
    settings = {"DATABASE_URL": "{url}"}
    packages = {"mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server"}
    service = "mariadb"
    account = "mysql"

    def version(self) -> str:
        return find_version(run((self.path("mariadbd"), "--version")))

    def initialize(self) -> None:
        run(
            (
                *(self.path("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"),
            ),
            cwd=self.folder,
            account=self.account,
            # The account may not enter ours.
            environment={"TMPDIR": str(self.folder)},
        )

    def configure(self) -> tuple[str, ...]:
        init = self.write("init.sql", _INIT.format(password=self.password))
        return (
            *(self.path("mariadbd"), "--no-defaults", f"--datadir={self.data}"),
            *(f"--bind-address={LOOPBACK}", f"--port={self.ports[0]}"),
            *("--socket=socket", "--pid-file=pid", f"--init-file={init}"),
            *("--skip-name-resolve", "--skip-log-bin", f"--max-connections={_CONNECTIONS}"),
            *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
            "--innodb-buffer-pool-size=512M",  # as in compose.yaml
            *(() if self.durable else _UNSAFE_MARIADB),
        )


class Redis(Server):
    """A server with 64 databases, so that each test process can have its own."""

    name = "redis"
    title = "Redis"
    url = "redis://:{password}@{address}"
    settings = {"BROKER_URL": "{url}/0", "CACHE_URL": "{url}/1"}
    packages = {"redis-server": "redis-server"}
    service = "redis-server"
    account = "redis"

    def version(self) -> str:
        return find_version(run((self.path("redis-server"), "--version")))

    def configure(self) -> tuple[str, ...]:
        password = self.write("redis.conf", f"requirepass {self.password}\n")
        return (
            *(self.path("redis-server"), str(password), "--databases", "64"),
            *("--bind", LOOPBACK, "--port", str(self.ports[0])),
            # Without persistence: to Timba it is a broker and a cache.
            *("--save", "", "--appendonly", "yes" if self.durable else "no"),
        )
