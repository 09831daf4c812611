"""The health check of the image: whether the web server of this machine is ready."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.journeys.processes import free_port
from timba.runtime.health_check import is_ready


class Readiness(BaseHTTPRequestHandler):
    """Responds to a request for the readiness as `status` says."""

    status: int

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Readiness)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_a_web_server_is_ready_if_it_says_so(port: int, status: int, ready: bool) -> None:
    Readiness.status = status
    assert is_ready("127.0.0.1", port, tls=False, timeout=5) is ready


def test_a_web_server_that_does_not_answer_is_not_ready() -> None:
    assert is_ready("127.0.0.1", free_port(), tls=False, timeout=5) is False
