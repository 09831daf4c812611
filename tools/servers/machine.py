"""What the machine gives to servers: executables, accounts, and free loopback ports."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the ephemeral range, from which the kernel picks ports for outgoing connections: a client
# that retries a stopped server could otherwise get that very port and connect to itself.
_LOWEST: Final = 20_000
_HIGHEST: Final = 32_000
# States in /proc/net/tcp.
_TCP_ESTABLISHED: Final = "01"
_TCP_LISTEN: Final = "0A"
# Debian installs servers into folders that are not in the search path of ordinary users.
_SEARCH_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"


class ServerUnavailable(Exception):
    """A server cannot be used on this machine; the message says why, and what to do."""


def find_executable(name: str) -> str | None:
    """Return the path of an executable, or None."""
    return shutil.which(name, path=_SEARCH_PATH)


def is_root() -> bool:
    """Whether packages can be installed and servers can run under their own accounts."""
    return os.geteuid() == 0


def under_account(account: str) -> tuple[str, ...]:
    """Return the words before a command that make it run as `account`, if this is run by root."""
    if not (account and is_root()):
        return ()
    return ("setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", "--")


def dying_with_parent(death_signal: signal.Signals) -> tuple[str, ...]:
    """Return the words before a command that make it get the signal when this process ends.

    The kernel sends it when the *thread* that forked ends (PR_SET_PDEATHSIG), so that must live as
    long as the command. A later change of user would take the signal back. The shell starts
    nothing if this process has ended before the signal was set.
    """
    exec_if_child = ("/bin/sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid()))
    return ("setpriv", f"--pdeathsig={death_signal.name[3:]}", "--", *exec_if_child)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = Path("/"),
    account: str = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a short program to its end and return its output; raise ServerUnavailable if it fails."""
    result = subprocess.run(
        [*under_account(account), *map(str, command)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        name = Path(command[0]).name
        raise ServerUnavailable(f"{name} failed: {last_line(result.stdout)}")
    return result.stdout


def find_version(output: str) -> str:
    """Return the first version number in a program's output."""
    match = re.search(r"\d+(\.\d+)+", output)
    return match.group() if match else "of unknown version"


def last_line(output: str) -> str:
    """Return the last line that is not blank, at most 300 characters of it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that are free now; another process may take them before they are used."""
    ports: set[int] = set()
    while len(ports) < count:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if is_free(port):
            ports.add(port)
    return tuple(ports)


def is_free(port: int) -> bool:
    """Whether no process listens on the port."""
    with socket.socket() as probe:
        # As servers do: connections in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listens(pid: int, port: int) -> bool:
    """Whether this very process, not another one, listens on the port."""
    sockets = _sockets(port, _TCP_LISTEN)
    try:
        return any(str(entry.readlink()) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it exited, or closed a descriptor, meanwhile
        return False


def has_connections(port: int) -> bool:
    """Whether any process on this machine still serves a connection to the port."""
    return bool(_sockets(port, _TCP_ESTABLISHED))


def _sockets(port: int, state: str) -> set[str]:
    """Return the sockets of this local port in this state, as they stand in `/proc/<pid>/fd`."""
    return {
        f"socket:[{fields[9]}]"
        for table in Path("/proc/net").glob("tcp*")
        for fields in map(str.split, table.read_text().splitlines()[1:])
        if fields[3] == state and int(fields[1].rpartition(":")[2], 16) == port
    }
