"""Runs a command as on a kernel without one of the sandbox's protections.

`python -m tests.files.missing_protection PROTECTION COMMAND…`: the system calls that would put it
in place fail with ENOSYS in the command and all its children.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pyseccomp

_CALLS = {
    "privileges": ("capset",),
    "landlock": ("landlock_create_ruleset", "landlock_restrict_self"),
    "seccomp": ("seccomp",),
}
_ROOT = Path(__file__).parents[2]


def python_without(protection: str, folder: Path) -> Path:
    """Create a Python interpreter in `folder` that runs as on such a kernel; return its path."""
    interpreter = folder / f"python-without-{protection}"
    interpreter.write_text(
        f"#!/bin/sh\ncd {_ROOT}\nexec {sys.executable} -m {__name__} {protection} {sys.executable}"
        ' "$@"\n'
    )
    interpreter.chmod(stat.S_IRWXU)
    return interpreter


def _main() -> None:
    protection, *command = sys.argv[1:]
    unknown = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    for call in _CALLS[protection]:
        unknown.add_rule(pyseccomp.ERRNO(errno.ENOSYS), call)
    unknown.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    _main()
