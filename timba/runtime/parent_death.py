"""Executes a command that cannot outlive its parent: `python parent_death.py PARENT_PID COMMAND …`.

The kernel sends SIGTERM when the parent dies (PR_SET_PDEATHSIG), so that even a supervisor that is
killed leaves no orphans. On other systems than Linux the command is just executed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    """Execute `command`, unless `parent` has exited before the signal was set."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606 - the supervisor's own fixed commands


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
