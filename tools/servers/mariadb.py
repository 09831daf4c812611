"""MariaDB from Debian's packages, with Debian's default collation: Timba must set its own."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from tools.servers.packages import find_version, run
from tools.servers.ports import LOOPBACK
from tools.servers.server import Command, Instance, Server

_CONNECTIONS: Final = 200
_PROTOCOL: Final = b"\x0a"  # the first byte of the handshake, after its 4-byte header
# A killed server loses nothing that was committed, because the kernel has it. Only a crash of the
# machine does, and no test outlives one.
_UNSAFE_ON_POWER_LOSS: Final = (
    "--innodb-flush-log-at-trx-commit=2",
    "--skip-innodb-doublewrite",
)
# Run at every start, before connections are accepted. A new installation has no root password.
_INIT: Final = """\
DELETE FROM mysql.global_priv WHERE User = 'root';
FLUSH PRIVILEGES;
CREATE DATABASE IF NOT EXISTS timba CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE USER IF NOT EXISTS timba@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO timba@'127.0.0.1';
"""


class MariaDB(Server):
    """A server with one database of a binary collation, and one user who may create more."""

    name = "mariadb"
    title = "MariaDB"
    packages = {"mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server"}
    service = "mariadb"
    account = "mysql"

    def version(self) -> str:
        return find_version(run((self.path("mariadbd"), "--version"), cwd=Path("/")))

    def initialize(self, instance: Instance) -> None:
        run(
            (
                *(self.path("mariadb-install-db"), "--no-defaults", f"--datadir={instance.data}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"),
            ),
            cwd=instance.folder,
            account=self.account,
            # The account may not enter ours.
            environment={"TMPDIR": str(instance.folder)},
        )

    def configure(self, instance: Instance) -> Command:
        init = instance.write("init.sql", _INIT.format(password=instance.password))
        return Command(
            arguments=(
                *(self.path("mariadbd"), "--no-defaults", f"--datadir={instance.data}"),
                *(f"--bind-address={LOOPBACK}", f"--port={instance.ports[0]}"),
                *("--socket=socket", "--pid-file=pid", f"--init-file={init}"),
                *("--skip-name-resolve", "--skip-log-bin", f"--max-connections={_CONNECTIONS}"),
                *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
                *(() if instance.durable else _UNSAFE_ON_POWER_LOSS),
            )
        )

    def is_ready(self, instance: Instance) -> bool:
        try:
            with socket.create_connection((LOOPBACK, instance.ports[0]), timeout=1) as connection:
                return connection.recv(5)[4:] == _PROTOCOL
        except OSError:
            return False

    def timba_variables(self, instance: Instance) -> dict[str, str]:
        return {"DATABASE_URL": _url(instance)}

    def test_variables(self, instance: Instance) -> dict[str, str]:
        return {"TIMBA_TEST_MARIADB_URL": _url(instance)}


def _url(instance: Instance) -> str:
    return f"mysql://timba:{instance.password}@{instance.address}/timba"
