"""Runs one command among the servers, and takes down what it brought up, come what may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tools.servers.fleet import bring_up, standings, take_down
from tools.servers.machine import CannotBeHad
from tools.servers.server import Program
from tools.servers.standings import environment


def run_among(programs: Sequence[Program], command: Sequence[str], *, for_timba: bool) -> int:
    """Return the command's exit code. What was up before stays up, for it is somebody's.

    Outside CI the command runs without those servers that cannot be had, and is told why.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    were_up = {one.program.name for one in standings(programs) if one.instance}
    try:
        reasons = bring_up(programs)
        for reason in reasons.values():
            print(reason, file=sys.stderr)
        if reasons and os.environ.get("CI") == "true":
            return 1
        return _run(command, environment(standings(programs), for_timba=for_timba))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends soon anyway, and now in order
        take_down([program for program in programs if program.name not in were_up])


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(command, env={**os.environ, **variables})
    except OSError as refused:
        raise CannotBeHad(f"“{command[0]}” cannot be run: {refused.strerror}.") from refused
    # Ctrl-C reaches the command itself, which may need a while to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    except SystemExit:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
