"""Redis from Debian's package, without persistence: to Timba it is a broker and a cache."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from tools.servers.packages import find_version, run
from tools.servers.ports import LOOPBACK
from tools.servers.server import Command, Instance, Server

_CONFIGURATION: Final = """\
bind {loopback}
port {port}
requirepass {password}
dir {folder}
databases 64
save ""
appendonly {append}
"""


class Redis(Server):
    """A server with 64 databases, so that each test process can have its own."""

    name = "redis"
    title = "Redis"
    packages = {"redis-server": "redis-server"}
    service = "redis-server"
    account = "redis"

    def version(self) -> str:
        return find_version(run((self.path("redis-server"), "--version"), cwd=Path("/")))

    def initialize(self, instance: Instance) -> None:
        """Do nothing: the server needs no data to start."""

    def configure(self, instance: Instance) -> Command:
        configuration = _CONFIGURATION.format(
            loopback=LOOPBACK,
            port=instance.ports[0],
            password=instance.password,
            folder=instance.folder,
            append="yes" if instance.durable else "no",
        )
        path = instance.write("redis.conf", configuration)
        return Command(arguments=(self.path("redis-server"), str(path)))

    def is_ready(self, instance: Instance) -> bool:
        try:
            with socket.create_connection((LOOPBACK, instance.ports[0]), timeout=1) as connection:
                connection.sendall(f"AUTH {instance.password}\r\nPING\r\n".encode())
                replies = connection.makefile("rb")
                return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False

    def timba_variables(self, instance: Instance) -> dict[str, str]:
        return {"BROKER_URL": f"{_url(instance)}/0", "CACHE_URL": f"{_url(instance)}/1"}

    def test_variables(self, instance: Instance) -> dict[str, str]:
        return {"TIMBA_TEST_REDIS_URL": _url(instance)}


def _url(instance: Instance) -> str:
    return f"redis://:{instance.password}@{instance.address}"
