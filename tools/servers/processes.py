"""Starts processes that outlive this one, and stops exactly those, never one that reused a pid.

A process is identified by its pid, its start time and the boot id. It records these itself before
it executes the server, so no server ever runs unrecorded, even if this program is killed meanwhile.
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

from tools.servers.packages import credentials_of

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# `exec` keeps the pid and the start time; what the server prints goes to the log.
_RECORD_AND_EXEC: Final = (
    f'read -r boot <{_BOOT}; read -r stat </proc/$$/stat; echo "$boot $stat"; exec "$@" >&2'
)
_START_TIME: Final = 19  # index in the fields of /proc/<pid>/stat after the name in parentheses
_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, distinct from any later one with the same pid."""

    pid: int
    started: str
    boot: str

    @classmethod
    def read(cls, path: Path) -> Identity | None:
        """Return the identity that a process recorded; None if it did not get that far."""
        try:
            boot, _, stat = path.read_text().partition(" ")
        except FileNotFoundError:
            return None
        return cls._parse(boot, stat)

    @classmethod
    def _parse(cls, boot: str, stat: str) -> Identity | None:
        before, _, after = stat.rpartition(")")
        fields = after.split()
        if len(fields) <= _START_TIME:
            return None
        return cls(pid=int(before.split()[0]), started=fields[_START_TIME], boot=boot)

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        has_exited = stat.rpartition(")")[2].split()[0] in "ZX"  # a zombie, or dead
        return not has_exited and self == self._parse(_BOOT.read_text().strip(), stat)

    def stop(self, stop_signal: signal.Signals, *, seconds: float) -> None:
        """Send `stop_signal`; kill the process group if it still runs after `seconds`."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The descriptor refers to one process. If that is ours now, no signal hits another.
            if not self.is_alive():
                return
            signal.pidfd_send_signal(pidfd, stop_signal)
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # a test may have sent it SIGSTOP
            if _wait_for_exit(pidfd, seconds):
                return
            os.killpg(self.pid, signal.SIGKILL)
            _wait_for_exit(pidfd, _KILL_SECONDS)
        except ProcessLookupError:
            return
        finally:
            os.close(pidfd)


def _wait_for_exit(pidfd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
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
    """Start a server in a session of its own, so that Ctrl-C in the terminal does not reach it."""
    with record.open("wb") as record_file, log.open("wb") as log_file:
        return subprocess.Popen(
            ["/bin/sh", "-c", _RECORD_AND_EXEC, "sh", *command],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=record_file,
            stderr=log_file,
            start_new_session=True,
            **credentials_of(account),
        )
