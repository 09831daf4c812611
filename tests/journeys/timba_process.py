"""Runs Timba as a child process with its own data folder and port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests

from tests.journeys.processes import child_pids, find_processes, free_port, kill_all, wait_until

ROOT = Path(__file__).resolve().parents[2]
MANAGE = (sys.executable, str(ROOT / "manage.py"))
DEMO = (*MANAGE, "demo")
SERVE = (*MANAGE, "serve")
PASSWORD = "larch-and-alder-48"  # of the users that `tests.factories` creates
_FOREIGN = ("TIMBA_", "DATABASE_", "DJANGO_", "BROKER_", "KAFKA_", "CACHE_", "STORAGE_")


class TimbaProcess:
    """A Timba on the servers that `variables` name, by default with its demo company.

    As a context manager, it runs during the block.
    """

    process: subprocess.Popen[bytes]  # the supervisor of the others

    def __init__(self, folder: Path, command: Sequence[str] = DEMO, **variables: str) -> None:
        self.data_folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._variables = variables
        self._output = Path(f"{folder}.output")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.clean_up()

    @property
    def output(self) -> list[str]:
        return self._output.read_text().splitlines()

    def start(self) -> None:
        """Start it and return when it is ready."""
        with self._output.open("a") as output:
            self.process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=output,
                env=self.environment(),
                umask=0o022,  # as most shells have it
            )
        wait_until(self.is_ready, seconds=300, what="Timba is ready")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def create_owner(self) -> ApiClient:
        """Create a client and its owner; return the owner's API client."""
        code = "from tests.factories import UserFactory; UserFactory(username='owner')"
        subprocess.run([*MANAGE, "shell", "-v0", "-c", code], env=self.environment(), check=True)
        return self.sign_in("owner", PASSWORD)

    def password_of(self, username: str) -> str:
        """Return the password that was printed for a user of the demo company."""
        [line] = [line for line in self.output if line.split()[1:2] == [username]]
        return line.split()[2]

    def sign_in(self, username: str, password: str) -> ApiClient:
        """Return an API client that is signed in."""
        credentials = {"username": username, "password": password}
        response = requests.post(f"{self.url}/api/token/", json=credentials, timeout=60)
        assert response.status_code == 200, response.text
        return ApiClient(self.url, response.json()["access"])

    def children(self) -> dict[int, str]:
        """Return the command line of every process except the supervisor, by pid."""
        running = find_processes("TIMBA_DATA_DIR", str(self.data_folder))
        return {pid: line for pid, line in running.items() if pid != self.process.pid}

    def mains(self) -> dict[int, str]:
        """Return the command line of every process that the supervisor has started, by pid.

        Children of these are left out: until they execute their own program, they have the
        command line of their parent.
        """
        started = child_pids(self.process.pid)
        return {pid: line for pid, line in self.children().items() if pid in started}

    def stop(self, number: signal.Signals, *, seconds: float = 60) -> int:
        """Send the supervisor a signal; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def clean_up(self) -> None:
        """Kill every remaining process."""
        kill_all("TIMBA_DATA_DIR", str(self.data_folder))
        self.process.wait()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that set this folder and port."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        variables = {
            "TIMBA_DATA_DIR": str(self.data_folder),
            "TIMBA_PORT": str(self.port),
            "TIMBA_DRAIN_SECONDS": "0",
        }
        return {**inherited, **variables, **self._variables}


class ApiClient(requests.Session):
    """An HTTP client with an access token: `client.get("/api/notes/")`."""

    def __init__(self, url: str, access: str) -> None:
        super().__init__()
        self.url = url
        self.authorization = f"Bearer {access}"
        self.headers["Authorization"] = self.authorization

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        return super().request(method, self.url + url, *args, **{"timeout": 60, **options})

    def wait_for_task(self, task_id: str, *, seconds: float = 60) -> Any:
        """Return a file's task when it is no longer PENDING."""

        def task() -> Any:
            return self.get("/api/task-status/", params={"task_id": task_id}).json()

        what = f"task {task_id} is settled"
        wait_until(lambda: task()["status"] != "PENDING", seconds=seconds, what=what)
        return task()
