"""Builds programs from their source by Go's module proxy, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tools.servers.machine import ServerUnavailable, find_executable, run
from tools.servers.packages import cached

# From this version on, Go downloads the newer toolchain that a module requires.
_OLDEST_GO: Final = (1, 21)


def go_install(name: str, title: str, module: str, release: str) -> Path:
    """Return the folder with the program; build it on first use, and raise ServerUnavailable."""

    def install(folder: Path) -> None:
        go = find_executable("go")
        if go is None or _go_version(go) < _OLDEST_GO:
            raise ServerUnavailable(
                f"{title} is built with Go, and Go 1.21 or later is not on this machine. "
                "Install it (https://go.dev/dl), then run this again."
            )
        print(f"Building {title} with Go: this takes minutes, once.", flush=True)
        run(
            ("nice", "-n", "10", go, "install", "-trimpath", f"{module}@{release}"),
            cwd=folder,
            environment={"CGO_ENABLED": "0", "GOBIN": str(folder)},
        )

    return cached(f"{name}-{release}", install)


def _go_version(go: str) -> tuple[int, ...]:
    match = re.search(r"go(\d+)\.(\d+)", run((go, "env", "GOVERSION")))
    return tuple(map(int, match.groups())) if match else (0,)
