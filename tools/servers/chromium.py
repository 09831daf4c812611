"""Debian's Chromium: not a server, but the browser tests need it just as others need servers."""

from __future__ import annotations

from pathlib import Path

from tools.servers.packages import find_version, run
from tools.servers.server import Dependency


class Chromium(Dependency):
    """The browser that the tests drive."""

    name = "chromium"
    title = "Chromium"
    packages = {"chromium": "chromium"}

    def version(self) -> str:
        return find_version(run((self.path("chromium"), "--version"), cwd=Path("/")))
