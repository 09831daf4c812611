"""Picks loopback ports that nobody holds, and tells who listens on one."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the range from which the system takes ports for outgoing connections: a client that knocks
# again and again at a server that is away could otherwise be given that very port, and connect to
# itself.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000
_LISTENS: Final = "0A"

_handed_out: set[int] = set()
_lock = threading.Lock()


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that nobody holds now; they may be taken before they are used."""
    picked: list[int] = []
    with _lock:
        while len(picked) < count:
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
            if port not in _handed_out and _is_free(port):
                _handed_out.add(port)
                picked.append(port)
    return tuple(picked)


def are_free(ports: Iterable[int]) -> bool:
    """Tell whether nobody holds any of the ports."""
    return all(_is_free(port) for port in ports)


def listens(pid: int, port: int) -> bool:
    """Tell whether the process itself listens on the port; somebody else might."""
    wanted = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    try:
        return any(str(entry.readlink()) in wanted for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it ended, or closed something, while it was looked at
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what the last one left behind in TIME_WAIT does not matter.
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
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.append(fields[9])
    return inodes
