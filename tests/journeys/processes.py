"""Finds, awaits and kills operating-system processes, for tests that start real ones."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    """Return a loopback port on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])


def find_processes(name: str, value: str) -> dict[int, str]:
    """Return the command lines, by pid, of live processes whose environment holds the variable."""
    entry = f"{name}={value}".encode()
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                processes[int(folder.name)] = command
    # A zombie process has no command line.
    return {pid: line for pid, line in processes.items() if line and pid != os.getpid()}


def child_pids(*pids: int) -> list[int]:
    """Return the pids of the running children of these processes."""
    children: list[int] = []
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):  # it has ended
                children += map(int, file.read_text().split())
    return children


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until a condition is true; fail with `what` after `seconds`.

    The pause between checks grows from 20 ms to 0.5 s, because checks compete for the CPU.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(pause)
        pause = min(pause * 1.2, 0.5)


def kill_all(name: str, value: str) -> None:
    """Kill every process whose environment holds the variable."""
    for pid in find_processes(name, value):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
