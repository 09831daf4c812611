"""The state of one set of servers on disk: processes, ports, passwords, reasons for failures.

`down` needs nothing but this folder, so it works after the process that called `up` has crashed.
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

from tools.servers.packages import ServerUnavailable
from tools.servers.processes import Identity
from tools.servers.server import Instance

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = "lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """The files of one server in the run folder."""

    run: Path
    name: str

    @property
    def folder(self) -> Path:
        """Return the folder for the server's configuration and data."""
        return self.run / self.name

    @property
    def log(self) -> Path:
        """Return the file for the server's output."""
        return self.run / f"{self.name}.log"

    @property
    def process(self) -> Path:
        """Return the file in which the process records its identity."""
        return self.run / f"{self.name}.process"

    def identity(self) -> Identity | None:
        """Return the server's process, if it still runs."""
        recorded = Identity.read(self.process)
        return recorded if recorded and recorded.is_alive() else None

    def instance(self) -> Instance | None:
        """Return the ports, password and options of the last start."""
        try:
            stored = json.loads(self._record.read_text())
        except FileNotFoundError:
            return None
        return Instance(
            folder=self.folder,
            ports=tuple(stored["ports"]),
            password=stored["password"],
            durable=stored["durable"],
            version=stored["version"],
        )

    def save(self, instance: Instance) -> None:
        """Write `instance` to disk, before the server starts."""
        values: dict[str, Any] = {
            "ports": instance.ports,
            "password": instance.password,
            "durable": instance.durable,
            "version": instance.version,
        }
        draft = self.run / f".{self.name}.json"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(values))
        draft.replace(self._record)

    @property
    def reason(self) -> str:
        """Return the saved reason why the server is unavailable, or an empty string."""
        try:
            return self._reason.read_text()
        except FileNotFoundError:
            return ""

    def save_reason(self, reason: str) -> None:
        """Save why the server is unavailable; an empty reason means that it is available."""
        if reason:
            self._reason.write_text(reason)
        else:
            self._reason.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all files of the server, which must have stopped."""
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
    """Return TIMBA_SERVICES_DIR, by default a folder for this checkout and user."""
    named = os.environ.get("TIMBA_SERVICES_DIR")
    if named:
        return Path(named).resolve()
    checkout = hashlib.sha256(str(_CHECKOUT).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"timba-services-{os.getuid()}-{checkout}"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Lock the folder exclusively, so that concurrent commands run one after the other.

    The folder is created here, and removed again if it ends up empty.
    """
    while True:
        _create_folder(folder)
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_same_file(lock.fileno(), folder / _LOCK):
                continue  # the previous holder removed the folder
            try:
                yield
            finally:
                if [path.name for path in folder.iterdir()] == [_LOCK]:
                    shutil.rmtree(folder)
            return


def _create_folder(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        # Servers that run under other accounts may pass through it, but not list it.
        folder.chmod(0o711)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise ServerUnavailable(
            f"{folder} belongs to another user. Name another folder in TIMBA_SERVICES_DIR."
        )


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
