"""Looks at and ends the operating system's processes, for tests that start the real thing."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def with_variable(name: str, value: str) -> dict[int, str]:
    """Return the command lines, by pid, of live processes whose environment holds the variable."""
    entry = f"{name}={value}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
        except OSError:
            continue
    # A process that ended and was not waited for yet has no command line any more.
    return {pid: command for pid, command in found.items() if command}


def wait_until(fact: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for a fact; fail with `what` when it does not come true in time.

    It is looked for less and less often: whoever looks takes time from those who bring it about.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not fact():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(pause)
        pause = min(pause * 1.2, 0.5)


def end_all(name: str, value: str) -> None:
    """End whatever a test left behind, by its own mark in the environment."""
    for pid in with_variable(name, value):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
