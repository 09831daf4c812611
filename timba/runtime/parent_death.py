"""Starts a command that cannot outlive its supervisor: `python parent_death.py PARENT COMMAND …`.

The kernel itself sends SIGTERM when the parent is gone, so that even a supervisor that was
killed leaves no process behind. Elsewhere than on Linux the command is just started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become `command`, unless `parent` ended before the kernel knew of the leash."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606 - the supervisor's own fixed commands


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
