"""A Python interpreter that runs as on a kernel without one of the sandbox's protections."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

_CALLS = {
    "privileges": ("capset",),
    "landlock": ("landlock_create_ruleset", "landlock_restrict_self"),
    "seccomp": ("seccomp",),
}
_INTERPRETER = """#!{executable}
import errno, os, sys, pyseccomp
unknown = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
for call in {calls}:
    unknown.add_rule(pyseccomp.ERRNO(errno.ENOSYS), call)
unknown.load()
os.execv("{executable}", ["{executable}", *sys.argv[1:]])
"""


def python_without(protection: str, folder: Path) -> Path:
    """Create such an interpreter in `folder`; return its path.

    The system calls that would put the protection in place fail with ENOSYS.
    """
    interpreter = folder / f"python-without-{protection}"
    interpreter.write_text(_INTERPRETER.format(executable=sys.executable, calls=_CALLS[protection]))
    interpreter.chmod(stat.S_IRWXU)
    return interpreter
