"""Debian's Chromium: no server, but the tests of the pages stand on it as others do on servers."""

from __future__ import annotations

from pathlib import Path

from tools.servers.machine import run, version_in
from tools.servers.server import Program


class Chromium(Program):
    """The browser that the tests drive."""

    name = "chromium"
    title = "Chromium"
    packages = {"chromium": "chromium"}

    def version(self) -> str:
        return version_in(run((self.path("chromium"), "--version"), cwd=Path("/")))
