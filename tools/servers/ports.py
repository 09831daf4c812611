"""Picks free loopback ports, and checks which process listens on one."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the ephemeral range, from which the kernel picks ports for outgoing connections: a client
# that retries a stopped server could otherwise get that very port and connect to itself.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000
_TCP_LISTEN: Final = "0A"  # the state in /proc/net/tcp

_allocated: set[int] = set()
_lock = threading.Lock()


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that are free now; another process may take them before they are used."""
    ports: list[int] = []
    with _lock:
        while len(ports) < count:
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
            if port not in _allocated and _is_free(port):
                _allocated.add(port)
                ports.append(port)
    return tuple(ports)


def are_free(ports: Iterable[int]) -> bool:
    """Whether all of the ports are free."""
    return all(_is_free(port) for port in ports)


def listens(pid: int, port: int) -> bool:
    """Whether this very process, not another one, listens on the port."""
    sockets = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    try:
        return any(str(entry.readlink()) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it exited, or closed a descriptor, meanwhile
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _listening_sockets(port: int) -> list[str]:
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.append(fields[9])
    return inodes
