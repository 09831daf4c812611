"""Runs one command while the servers are up, and always stops those that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tools.servers.cluster import bring_up, get_statuses, take_down
from tools.servers.packages import ServerUnavailable
from tools.servers.server import Dependency
from tools.servers.status import environment


def run_with_servers(
    dependencies: Sequence[Dependency], command: Sequence[str], *, for_timba: bool
) -> int:
    """Return the command's exit code. Servers that were up before stay up.

    Outside CI the command runs even if servers are unavailable; the environment holds the reasons.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    already_up = {
        status.dependency.name for status in get_statuses(dependencies) if status.instance
    }
    try:
        reasons = bring_up(dependencies)
        for reason in reasons.values():
            print(reason, file=sys.stderr)
        if reasons and os.environ.get("CI") == "true":
            return 1
        return _run(command, environment(get_statuses(dependencies), for_timba=for_timba))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
        take_down([one for one in dependencies if one.name not in already_up])


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(command, env={**os.environ, **variables})
    except OSError as error:
        raise ServerUnavailable(f"“{command[0]}” cannot be run: {error.strerror}.") from error
    # Ctrl-C reaches the command itself, which may need a while to exit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    except SystemExit:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _exit(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
