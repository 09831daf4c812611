"""The addresses of uploads that are not finished, kept on this machine so that they resume.

One small file for each, in a folder of the user, replaced as a whole.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

_FOLDER: Final = Path("timba/uploads")


def _folder() -> Path:
    """Return the folder, by the XDG Base Directory Specification."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / _FOLDER


class UnfinishedUpload:
    """The address of one upload; `facts` tell it from every other one."""

    def __init__(self, *facts: str) -> None:
        digest = hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()
        self._path = _folder() / digest

    def find(self) -> str | None:
        """Return the address, or None."""
        try:
            return self._path.read_text("utf-8") or None
        except FileNotFoundError:
            return None

    def remember(self, address: str) -> None:
        """Keep the address; it outlives this process."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_suffix(f".{os.getpid()}")
        new.write_text(address, "utf-8")
        new.replace(self._path)

    def forget(self) -> None:
        """Drop the address."""
        self._path.unlink(missing_ok=True)
