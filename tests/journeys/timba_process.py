"""Runs `manage.py demo` as a child process with its own data folder and port."""

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

from tests.journeys.processes import find_processes, free_port, kill_all, wait_until

ROOT = Path(__file__).resolve().parents[2]
_DEMO = (sys.executable, str(ROOT / "manage.py"), "demo")
START_SECONDS = 300
STOP_SECONDS = 60


class TimbaProcess:
    """A running Timba, by default started with `manage.py demo`."""

    def __init__(
        self, data_folder: Path, *, command: Sequence[str] = _DEMO, **variables: str
    ) -> None:
        """Set the data folder and further environment variables; do not start yet."""
        self.data_folder = data_folder
        self._command = command
        self._variables = variables
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and return when it prints that it is ready."""
        self._lines: Queue[str | None] = Queue()
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            umask=0o022,  # as most shells have it
        )
        self._reader = threading.Thread(target=self._read_output, args=[self._process.stdout])
        self._reader.start()
        self.wait_for_line("Timba is ready at ")

    def wait_for_line(self, beginning: str) -> str:
        """Return the next line of output that starts with `beginning`."""
        while True:
            try:
                line = self._lines.get(timeout=START_SECONDS)
            except Empty:
                line = None
            assert line is not None, f"no line “{beginning}…” in {self.output}"
            if line.startswith(beginning):
                return line

    def password_of(self, username: str) -> str:
        """Return the password that was printed for a user of the demo company."""
        [line] = [line for line in self.output if line.split()[1:2] == [username]]
        return line.split()[2]

    def sign_in(self, username: str, password: str) -> ApiClient:
        """Return an API client that is signed in."""
        response = requests.post(
            f"{self.url}/api/token/", json={"username": username, "password": password}, timeout=60
        )
        assert response.status_code == 200, response.text
        return ApiClient(self.url, response.json()["access"])

    def children(self) -> dict[int, str]:
        """Return the command line of every process except the supervisor, by pid."""
        assert self._process is not None
        running = find_processes("TIMBA_DATA_DIR", str(self.data_folder))
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
        return self._wait_for_exit(seconds)

    def clean_up(self) -> None:
        """Kill every remaining process."""
        kill_all("TIMBA_DATA_DIR", str(self.data_folder))
        if self._process is not None:
            self._wait_for_exit()

    def _wait_for_exit(self, seconds: float = STOP_SECONDS) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=seconds)
        self._reader.join(timeout=STOP_SECONDS)
        return code

    def log(self) -> str:
        return (self.data_folder / "log" / "timba.log").read_text()

    def _read_output(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.output.append(line.rstrip())
                self._lines.put(line.rstrip())
        self._lines.put(None)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that set this folder and port."""
        inherited = {
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
            **inherited,
            "TIMBA_DATA_DIR": str(self.data_folder),
            "TIMBA_PORT": str(self.port),
            **self._variables,
        }


class ApiClient:
    """An HTTP client with an access token: `client.get("/api/notes/")`."""

    def __init__(self, url: str, access: str) -> None:
        self._url = url
        self._session = requests.Session()
        self.authorization = f"Bearer {access}"
        self._session.headers["Authorization"] = self.authorization

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(method, self._url + path, **{"timeout": 60, **options})

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.request("POST", path, **options)

    def wait_for_task(self, task_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Return a file's task when it is no longer PENDING."""
        task: dict[str, Any] = {}

        def settled() -> bool:
            task.update(self.get("/api/task-status/", params={"task_id": task_id}).json())
            return task["status"] != "PENDING"

        wait_until(settled, seconds=seconds, what=f"task {task_id} is settled")
        return task
