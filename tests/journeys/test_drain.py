"""SIGTERM under load: the load balancer is told first, and no request fails."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess
from timba import __version__

pytestmark = pytest.mark.journey

CALLERS = 6


@pytest.fixture
def timba(tmp_path: Path) -> Iterator[TimbaProcess]:
    with TimbaProcess(tmp_path, SERVE, TIMBA_DRAIN_SECONDS="600") as timba:
        yield timba


class Load:
    """Callers that request until their load balancer has turned to another machine."""

    def __init__(self, owner: ApiClient) -> None:
        self._owner = owner
        self._turned_away = threading.Event()
        self.outcomes: list[object] = []
        self.threads = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]

    def _call(self, number: int) -> None:
        """Call on one connection, or with an odd number on a new one for each request."""
        with requests.Session() as session:
            session.headers["Authorization"] = self._owner.authorization
            while not self._turned_away.is_set():
                try:
                    url = f"{self._owner.url}/api/notes/"
                    headers = {"Connection": "close"} if number % 2 else {}
                    response = session.get(url, headers=headers, timeout=60)
                    self.outcomes.append(response.status_code)
                except requests.RequestException as error:
                    self.outcomes.append(error)

    def turn_away(self) -> None:
        self._turned_away.set()
        for thread in self.threads:
            thread.join(60)


def test_no_request_fails_while_timba_shuts_down(timba: TimbaProcess) -> None:
    owner = timba.create_owner()
    load = Load(owner)
    for thread in load.threads:
        thread.start()
    wait_until(lambda: len(load.outcomes) > CALLERS, seconds=60, what="the callers call")
    timba.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not timba.is_ready(), seconds=60, what="Timba is not ready")
    load.turn_away()
    # A caller that has not noticed yet is still served.
    ready = requests.get(f"{timba.url}/health/ready", timeout=60)
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "down",
        "version": __version__,
        "checks": {"database": "ok", "storage": "ok", "sandbox": "ok", "server": "stopping"},
    }
    assert owner.post("/api/notes/", json={"title": "The last one"}).status_code == 201
    assert timba.stop(signal.SIGTERM) == 0
    assert set(load.outcomes) == {200}
