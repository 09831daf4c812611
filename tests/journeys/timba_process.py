"""Runs the real thing, as `make demo` does, in a folder and on a port of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import requests

from tests.journeys.processes import end_all, free_port, wait_until, with_variable

ROOT = Path(__file__).resolve().parents[2]
_DEMO = (sys.executable, str(ROOT / "manage.py"), "demo")
START_SECONDS = 300
STOP_SECONDS = 60


class TimbaProcess:
    """`manage.py demo` as a child process, and a program that talks to it."""

    def __init__(
        self, data_folder: Path, *, command: Sequence[str] = _DEMO, **variables: str
    ) -> None:
        """Take its folder, and what its environment has beside the embedded defaults."""
        self.data_folder = data_folder
        self._command = command
        self._variables = variables
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and return once it says that it is ready."""
        self._lines: Queue[str | None] = Queue()
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            umask=0o022,  # as most shells have it
        )
        self._listener = threading.Thread(target=self._listen, args=[self._process.stdout])
        self._listener.start()
        self.wait_for_line("Timba is ready at ")

    def wait_for_line(self, beginning: str) -> str:
        """Return the next line that begins so."""
        while True:
            try:
                line = self._lines.get(timeout=START_SECONDS)
            except Empty:
                line = None
            assert line is not None, f"no line “{beginning}…” in {self.said}"
            if line.startswith(beginning):
                return line

    def password_of(self, username: str) -> str:
        """Return what was printed for a person of the demo company."""
        [line] = [line for line in self.said if line.split()[1:2] == [username]]
        return line.split()[2]

    def sign_in(self, username: str, password: str) -> Program:
        """Return a program that is signed in."""
        answer = requests.post(
            f"{self.url}/api/token/", json={"username": username, "password": password}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return Program(self.url, answer.json()["access"])

    def children(self) -> dict[int, str]:
        """Return every process of this Timba but the supervisor, by pid."""
        assert self._process is not None
        running = with_variable("TIMBA_DATA_DIR", str(self.data_folder))
        return {pid: line for pid, line in running.items() if pid != self._process.pid}

    def child(self, command: str) -> int:
        """Return the pid of the child that was started with `manage.py <command>`."""
        [pid] = [
            pid for pid, line in self.children().items() if line.strip().endswith(f" {command}")
        ]
        return pid

    def stop(self, number: signal.Signals, *, seconds: float = STOP_SECONDS) -> int:
        """Send the supervisor a signal; return its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._ended(seconds)

    def clean_up(self) -> None:
        """End whatever is still there."""
        end_all("TIMBA_DATA_DIR", str(self.data_folder))
        if self._process is not None:
            self._ended()

    def _ended(self, seconds: float = STOP_SECONDS) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=seconds)
        self._listener.join(timeout=STOP_SECONDS)
        return code

    def log(self) -> str:
        return (self.data_folder / "log" / "timba.log").read_text()

    def _listen(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.said.append(line.rstrip())
                self._lines.put(line.rstrip())
        self._lines.put(None)

    def environment(self) -> dict[str, str]:
        """Return an environment that makes Timba use this folder and port."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                (
                    *("TIMBA_", "DATABASE_", "DJANGO_"),
                    *("BROKER_", "KAFKA_", "CACHE_", "STORAGE_"),
                )
            )
        }
        return {
            **kept,
            "TIMBA_DATA_DIR": str(self.data_folder),
            "TIMBA_PORT": str(self.port),
            **self._variables,
        }


class Program:
    """A program with an access token: `program.get("/api/notes/")`."""

    def __init__(self, url: str, access: str) -> None:
        self._url = url
        self._session = requests.Session()
        self.authorization = f"Bearer {access}"
        self._session.headers["Authorization"] = self.authorization

    def request(self, method: str, path: str, **content: Any) -> requests.Response:
        return self._session.request(method, self._url + path, **{"timeout": 60, **content})

    def get(self, path: str, **content: Any) -> requests.Response:
        return self.request("GET", path, **content)

    def post(self, path: str, **content: Any) -> requests.Response:
        return self.request("POST", path, **content)

    def wait_for_task(self, task_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Return a file's task once it is not PENDING any more."""
        seen: dict[str, Any] = {}

        def settled() -> bool:
            seen.update(self.get("/api/task-status/", params={"task_id": task_id}).json())
            return seen["status"] != "PENDING"

        wait_until(settled, seconds=seconds, what=f"task {task_id} is settled")
        return seen
