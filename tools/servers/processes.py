"""Starts processes that outlive this one, and ends exactly those: a reused pid is never touched.

A process is known by its pid, the moment it started and the boot it started in. It writes that
down itself before it becomes the server, so there is no moment at which it runs unrecorded, even
if this program is killed while it starts one.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.servers.machine import credentials_of

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# `exec` keeps the pid and the moment of the start; what the server prints goes to the log.
_RECORD_AND_BECOME: Final = (
    f'read -r boot <{_BOOT}; read -r stat </proc/$$/stat; echo "$boot $stat"; exec "$@" >&2'
)
_STARTED: Final = 19  # fields of /proc/<pid>/stat after the name in parentheses
_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, and no other that may get its pid later."""

    pid: int
    started: str
    boot: str

    @classmethod
    def recorded(cls, path: Path) -> Identity | None:
        """Return whom a process wrote down at its start, if it came that far."""
        try:
            boot, _, stat = path.read_text().partition(" ")
        except FileNotFoundError:
            return None
        return cls._parsed(boot, stat)

    @classmethod
    def _parsed(cls, boot: str, stat: str) -> Identity | None:
        before, _, after = stat.rpartition(")")
        fields = after.split()
        if len(fields) <= _STARTED:
            return None
        return cls(pid=int(before.split()[0]), started=fields[_STARTED], boot=boot)

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        ended = stat.rpartition(")")[2].split()[0] in "ZX"  # dead, and nobody asked how it went
        return not ended and self == self._parsed(_BOOT.read_text().strip(), stat)

    def stop(self, politely: signal.Signals, *, seconds: float) -> None:
        """End it: with a signal it knows how to take, and after `seconds` without asking."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle is of one process. If that is ours now, no signal can reach another.
            if not self.is_alive():
                return
            signal.pidfd_send_signal(handle, politely)
            signal.pidfd_send_signal(handle, signal.SIGCONT)  # a test may have stopped it
            if _ended(handle, seconds):
                return
            os.killpg(self.pid, signal.SIGKILL)
            _ended(handle, _KILL_SECONDS)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


def _ended(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def launch(
    command: Sequence[str],
    *,
    cwd: Path,
    account: str,
    environment: Mapping[str, str],
    record: Path,
    log: Path,
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that no Ctrl-C meant for us reaches it."""
    with record.open("wb") as written, log.open("wb") as said:
        return subprocess.Popen(
            ["/bin/sh", "-c", _RECORD_AND_BECOME, "sh", *command],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=said,
            start_new_session=True,
            **credentials_of(account),
        )
