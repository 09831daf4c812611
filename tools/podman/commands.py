"""The command line of `tools/containers`: builds the images, then runs the journeys over them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.podman.engine import Podman, own_storage
from tools.podman.images import build_images
from tools.servers.commands import exit_on_signals, run_command
from tools.servers.dependency import ensure_installed
from tools.servers.machine import ServerUnavailable

# Their output is shown, because they take minutes and print figures.
_JOURNEYS: Final = (sys.executable, "-m", "pytest", "-s", "-m", "slow", "tests/containers")


def main(arguments: Sequence[str]) -> int:
    """Build the images, run a command (by default the journeys), and remove the containers.

    Returns the command's exit code. Outside CI, a machine without podman is told and no failure.
    """
    if arguments and arguments[0] != "--":
        print("Usage: tools/containers [-- COMMAND …]", file=sys.stderr)
        return 2
    exit_on_signals()
    reason = ensure_installed([Podman()]).get("podman")
    try:
        if reason is None:
            with own_storage():
                with TemporaryDirectory(prefix="timba-containers-") as folder:
                    build_images(Path(folder))
                return run_command(arguments[1:] or _JOURNEYS, os.environ)
    except ServerUnavailable as error:
        reason = str(error)
    print(f"The containers cannot be run here. {reason}", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0
