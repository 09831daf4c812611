"""What one set of servers has on disk: who was started, where it listens, why another is missing.

`down` needs nothing but this folder, so it works after a crash of whatever called `up`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.servers.machine import CannotBeHad
from tools.servers.processes import Identity
from tools.servers.server import Instance

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = "lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one server of a run keeps what belongs to it."""

    run: Path
    name: str

    @property
    def folder(self) -> Path:
        """Return the folder that is the server's own."""
        return self.run / self.name

    @property
    def log(self) -> Path:
        """Return the file that gets what the server prints."""
        return self.run / f"{self.name}.log"

    @property
    def process(self) -> Path:
        """Return the file in which the process says who it is."""
        return self.run / f"{self.name}.process"

    def identity(self) -> Identity | None:
        """Return the server's process, if it still runs."""
        recorded = Identity.recorded(self.process)
        return recorded if recorded and recorded.is_alive() else None

    def instance(self) -> Instance | None:
        """Return what was decided for the server when it was last started."""
        try:
            kept = json.loads(self._record.read_text())
        except FileNotFoundError:
            return None
        return Instance(
            folder=self.folder,
            ports=tuple(kept["ports"]),
            password=kept["password"],
            durable=kept["durable"],
            version=kept["version"],
        )

    def keep(self, instance: Instance) -> None:
        """Write down what was decided, before the server starts."""
        kept: dict[str, Any] = {
            "ports": instance.ports,
            "password": instance.password,
            "durable": instance.durable,
            "version": instance.version,
        }
        draft = self.run / f".{self.name}.json"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(kept))
        draft.replace(self._record)

    @property
    def reason(self) -> str:
        """Return why the server cannot be had, if that is known."""
        try:
            return self._reason.read_text()
        except FileNotFoundError:
            return ""

    def remember_reason(self, reason: str) -> None:
        """Keep why the server cannot be had, for those who ask later; empty: it can."""
        if reason:
            self._reason.write_text(reason)
        else:
            self._reason.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything of the server. It must not run any more."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in (self._record, self.process, self.log, self._reason):
            path.unlink(missing_ok=True)

    @property
    def _record(self) -> Path:
        return self.run / f"{self.name}.json"

    @property
    def _reason(self) -> Path:
        return self.run / f"{self.name}.missing"


def run_folder() -> Path:
    """Return the folder of this checkout's and this user's servers, or the one that was named."""
    named = os.environ.get("TIMBA_SERVICES_DIR")
    if named:
        return Path(named).resolve()
    checkout = hashlib.sha256(str(_CHECKOUT).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"timba-services-{os.getuid()}-{checkout}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for oneself: two that start servers at once take turns.

    The folder is made here, and removed again if nothing is left in it.
    """
    while True:
        _make(folder)
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_still(lock.fileno(), folder / _LOCK):
                continue  # the one before us left and took the folder away
            try:
                yield
            finally:
                if [path.name for path in folder.iterdir()] == [_LOCK]:
                    shutil.rmtree(folder)
            return


def _make(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        # Servers that run as users of their own pass through, and see nothing else on their way.
        folder.chmod(0o711)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise CannotBeHad(
            f"{folder} belongs to somebody else. Name another folder in TIMBA_SERVICES_DIR."
        )


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
