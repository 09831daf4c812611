"""Finds the protections of the sandbox that this machine lacks, in a container or on an old kernel.

The sandbox child does not import this module, which needs more than the standard library.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Final

import structlog

from timba.isolated_python import isolated_python

# name: what its absence means, and the remedy.
WARNINGS: Final[Mapping[str, tuple[str, str]]] = {
    "privileges": (
        "Uploaded files are read by processes that keep their privileges.",
        "Run Linux, in a container that allows prctl and capset.",
    ),
    "landlock": (
        "Uploaded files are read without Landlock, one of the sandbox's protections.",
        "Run Linux 5.13 or later, started with lsm=landlock,… and in a container that allows it.",
    ),
    "seccomp": (
        "Uploaded files are read without seccomp, one of the sandbox's protections.",
        "Run Linux 4.14 or later on x86_64 or aarch64, in a container that allows it.",
    ),
}
_PROBE: Final = (
    "import os; from timba.files.sandbox_limits import lock_down; "
    "os.write(1, ','.join(lock_down()).encode()); os._exit(0)"
)
_PROBE_SECONDS: Final = 60
_log = structlog.get_logger(__name__)


@cache
def missing_protections() -> tuple[str, ...]:
    """Return the names of the protections that a child process could not put in place.

    Each is tried once per process, and a missing one is logged. Raises OSError or SubprocessError
    where no child process can be started.
    """
    probe = subprocess.run(  # noqa: S603 - fixed arguments, no shell
        isolated_python(_PROBE),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={},
        cwd="/",
        check=True,
        timeout=_PROBE_SECONDS,
        text=True,
    )
    missing = tuple(filter(None, probe.stdout.split(",")))
    for name in missing:
        warning, remedy = WARNINGS[name]
        _log.warning(warning, hint=remedy)
    return missing
