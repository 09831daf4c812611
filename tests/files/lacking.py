"""Runs a command on a kernel without one of the sandbox's protections.

`python -m tests.files.lacking PROTECTION COMMAND…`: the calls that would put it in place are
unknown to the command and to all its children.
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


def python_lacking(protection: str, folder: Path) -> Path:
    """Return a Python interpreter, made in `folder`, that runs on such a kernel."""
    interpreter = folder / f"python-lacking-{protection}"
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
