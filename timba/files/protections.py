"""Says which protections of the sandbox this machine lacks, as a container or an old kernel may."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import structlog

# name: what its absence means, and what to do about it.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
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
_IMPORT_PATH: Final = str(Path(__file__).resolve().parents[2])
_TRY: Final = (
    "import os; from timba.files.sandbox_limits import lock_down; "
    "os.write(1, ','.join(lock_down()).encode()); os._exit(0)"
)
_TRY_SECONDS: Final = 60
_log = structlog.get_logger(__name__)


@cache
def missing_protections() -> tuple[str, ...]:
    """Return their names: each was tried, once, in a process of its own.

    The log is told too. Raises OSError or SubprocessError where no process can be started.
    """
    tried = subprocess.run(  # noqa: S603 - fixed arguments, no shell
        isolated_python(_TRY),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={},
        cwd="/",
        check=True,
        timeout=_TRY_SECONDS,
        text=True,
    )
    missing = tuple(filter(None, tried.stdout.split(",")))
    for name in missing:
        sentence, remedy = SENTENCES[name]
        _log.warning(sentence, hint=remedy)
    return missing


def isolated_python(statements: str) -> tuple[str, ...]:
    """Return a command that runs `statements` and takes nothing from environment or user."""
    start = f"import sys; sys.path.insert(0, {_IMPORT_PATH!r})"
    return (sys.executable, "-I", "-c", f"{start}; {statements}")
