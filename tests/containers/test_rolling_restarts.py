"""Web servers and workers are restarted one after the other under load, and no caller notices."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
import requests

from tests.containers.stack import Stack
from tests.journeys.timba_process import PASSWORD, ApiClient

pytestmark = pytest.mark.slow

ROUNDS: Final = 20
# While one of a pair restarts, the other serves.
PAIRS: Final = (("web", "fast"), ("web2", "bulk"))
PATHS: Final = ("/api/files/?limit=10", "/api/consignments/?limit=10", "/api/notes/?limit=10")
PAUSE_SECONDS: Final = 0.2
CALLS_PER_SIGN_IN: Final = 1000


class Load:
    """Calls from several threads until it is stopped; no call is repeated."""

    def __init__(self, stack: Stack) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest_seconds = 0.0
        self.tasks: list[str] = []
        self._stack = stack
        self._stopped = threading.Event()

    def read(self, path: str) -> None:
        for client in self._clients():
            self._call(client, "GET", path)

    def upload(self) -> None:
        for client in self._clients():
            text = f"Lorry {len(self.tasks)} has passed the gate.\n".encode()
            files = {"file": ("gate.txt", text)}
            response = self._call(client, "POST", "/api/files/", files=files)
            if response is not None and response.status_code == 201:
                self.tasks.append(response.json()["task_id"])

    def _clients(self) -> Iterator[ApiClient]:
        """Yield a client for each call; it signs in again long before its token expires."""
        while True:
            client = self._stack.sign_in("owner", PASSWORD)
            for _ in range(CALLS_PER_SIGN_IN):
                if self._stopped.wait(PAUSE_SECONDS):
                    return
                yield client

    def stop(self) -> None:
        self._stopped.set()

    def _call(
        self, client: ApiClient, method: str, path: str, **options: Any
    ) -> requests.Response | None:
        started = time.monotonic()
        try:
            response = client.request(method, path, **options)
        except requests.RequestException as error:
            self.outcomes[f"{method} {type(error).__name__}"] += 1
            return None
        self.outcomes[f"{method} {response.status_code}"] += 1
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - started)
        return response


def restart_in_turn(stack: Stack, load: Load, pool: ThreadPoolExecutor) -> None:
    for number in range(1, ROUNDS + 1):
        started = time.monotonic()
        for pair in PAIRS:
            list(pool.map(stack.restart, pair))
        seconds = time.monotonic() - started
        print(f"restart {number}: {seconds:.1f} s, {dict(load.outcomes)}", flush=True)


@pytest.mark.parametrize("stack", ["full"], indirect=True)
@pytest.mark.usefixtures("owner")
def test_no_request_fails_during_twenty_rolling_restarts(stack: Stack) -> None:
    load = Load(stack)
    with ThreadPoolExecutor() as pool:
        callers = [pool.submit(load.read, path) for path in PATHS]
        callers.append(pool.submit(load.upload))
        try:
            restart_in_turn(stack, load, pool)
        finally:
            load.stop()
        for caller in callers:
            caller.result()
    print(f"slowest response: {load.slowest_seconds:.1f} s, {len(load.tasks)} files")
    assert set(load.outcomes) == {"GET 200", "POST 201"}
    owner = stack.sign_in("owner", PASSWORD)
    for task in load.tasks:
        assert owner.wait_for_task(task)["status"] == "SUCCESS"
