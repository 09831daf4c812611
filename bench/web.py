"""A signed-in, cached statistic over the wire, against a constant and against the usual way.

    .venv/bin/python bench/web.py [--seconds 3] [--rounds 5]
    tools/services run --tests postgres -- .venv/bin/python bench/web.py     # on PostgreSQL too

Three applications run in turn on the same web server with the same options, in one process on the
first core: a Django view that returns a constant as JSON without any middleware, Timba, and Django
REST framework with simplejwt and a row of totals (see `peers/`). The last core makes the requests
over 16 connections. Prints requests per second, the 99th percentile and the server's processor time
per request, and the medians of the rounds' ratios to the first: absolute rates mean nothing on
shared machines.
"""

# ruff: noqa: E402 - the modules of the tests are found after the path is set

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import requests
import uvloop

_ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from tests.journeys.processes import child_pids, free_port, wait_until

CONNECTIONS: Final = 16
PATH: Final = "/temperature-readings/7/"
_CONSTANT: Final = _ROOT / "bench/peers/constant.py"
_USUAL_WAY: Final = _ROOT / "bench/peers/usual_way.py"
_SERVER_CORE, _LOAD_CORE = 0, (os.cpu_count() or 1) - 1
_LINE: Final = (
    "  {name:<26}{rate:>7.0f} requests/s{ratio:>6.2f} ×{p99:>8.2f} ms p99{slower:>6.2f} ×"
    "{cpu:>7.0f} µs CPU{costlier:>6.2f} ×"
)
# Prepares a Timba and prints an access token.
_PREPARE: Final = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)
from tests.factories import UserFactory
from tests.temperatures.uploads import settle_readings
from timba.accounts.tokens import issue_tokens
user = UserFactory()
settle_readings("7,21.50,2025-06-01T12:00:00Z\\n7,-3,2025-06-01T13:00:00Z\\n", actor=user)
print(issue_tokens(user=user).access)
"""


@dataclass
class Peer:
    """An application to measure, and what was measured."""

    name: str
    target: str
    variables: dict[str, str]
    token: str = ""
    port: int = 0
    rates: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    server: subprocess.Popen[bytes] | None = None

    def forget(self) -> None:
        """Drop what was measured while the server was warming up."""
        for figures in (self.rates, self.p99s, self.cpu):
            figures.clear()

    def cpu_seconds(self) -> float:
        """Return the processor time of the server so far."""
        assert self.server is not None
        pids = [self.server.pid, *child_pids(self.server.pid)]
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


class _Caller(asyncio.Protocol):
    """Sends the same request again as soon as the response is complete."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request, self._latencies = request, latencies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        assert head.startswith(b"HTTP/1.1 200 "), head
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._received = b""
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def _load(peer: Peer, seconds: float) -> list[float]:
    """Return the latency of each request of some seconds."""
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nAccept: */*\r\n"
        f"User-Agent: bench\r\nAuthorization: Bearer {peer.token}\r\n\r\n"
    ).encode()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: _Caller(request, latencies), "127.0.0.1", peer.port))
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in transports:
        transport.abort()
    return latencies


def measure(peer: Peer, seconds: float) -> None:
    cpu_before = peer.cpu_seconds()
    latencies = uvloop.run(_load(peer, seconds))
    peer.cpu.append((peer.cpu_seconds() - cpu_before) / len(latencies) * 1e6)
    peer.rates.append(len(latencies) / seconds)
    peer.p99s.append(statistics.quantiles(latencies, n=100)[98] * 1000)


@contextmanager
def running(peers: list[Peer]) -> Iterator[None]:
    """Run each peer on its own web server, all on the server's core."""
    try:
        for peer in peers:
            peer.port = free_port()
            peer.server = _start(peer)
        for peer in peers:
            wait_until(lambda peer=peer: _responds(peer), seconds=60, what=f"{peer.name} responds")
        yield
    finally:
        for peer in peers:
            if peer.server is not None:
                peer.server.terminate()
                peer.server.wait()


def _start(peer: Peer) -> subprocess.Popen[bytes]:
    """Start the web server with the options of `timba.runtime.processes`, for one application."""
    options = {**os.environ, **peer.variables, "TIMBA_PORT": str(peer.port)}
    code = (
        "import django; django.setup(); "
        "from timba.runtime.processes import processes, WEB; import os, sys; "
        "command = [*processes(only=[WEB])[0].command[:-1], sys.argv[1]]; "
        f"os.sched_setaffinity(0, {{{_SERVER_CORE}}}); os.execv(command[0], command)"
    )
    return subprocess.Popen([sys.executable, "-c", code, peer.target], env=options, cwd=_ROOT)


def _responds(peer: Peer) -> bool:
    try:
        url = f"http://127.0.0.1:{peer.port}{PATH}"
        headers = {"Authorization": f"Bearer {peer.token}"}
        return requests.get(url, headers=headers, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def prepare(folder: Path, database_url: str) -> list[Peer]:
    """Create the databases; return the peers, the constant first."""
    timba = {
        "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
        "TIMBA_DATA_DIR": str(folder),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/timba.sqlite3",
        "PYTHONPATH": str(_ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    usual = {**timba, "USUAL_DATABASE_URL": database_url or f"sqlite:///{folder}/usual.sqlite3"}
    peers = [
        Peer("a constant, no middleware", f"{_CONSTANT}:application", timba),
        Peer("Timba", f"{_ROOT}/timba/config/asgi.py:application", timba),
        Peer("DRF, simplejwt, a row", f"{_USUAL_WAY}:application", usual),
    ]
    peers[1].token = _last_line([sys.executable, "-c", _PREPARE], timba)
    peers[2].token = _last_line([sys.executable, str(_USUAL_WAY)], usual)
    return peers


def _last_line(command: list[str], variables: dict[str, str]) -> str:
    run = subprocess.run(
        command,
        env=os.environ | variables,
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()[-1]


def compare(peers: list[Peer], options: argparse.Namespace) -> None:
    """Measure the peers in turn, round after round, and print a line for each."""
    with running(peers):
        for peer in peers:
            measure(peer, 1)
            peer.forget()
        for _ in range(options.rounds):
            for peer in peers:
                measure(peer, options.seconds)
    static = peers[0]
    for peer in peers:
        print(
            _LINE.format(
                name=peer.name,
                rate=statistics.median(peer.rates),
                ratio=_median_ratio(peer.rates, static.rates),
                p99=statistics.median(peer.p99s),
                slower=_median_ratio(peer.p99s, static.p99s),
                cpu=statistics.median(peer.cpu),
                costlier=_median_ratio(peer.cpu, static.cpu),
            )
        )
    print(f"  Timba against the usual way: {_median_ratio(peers[1].rates, peers[2].rates):.2f} ×")


def _median_ratio(values: list[float], base: list[float]) -> float:
    return statistics.median(value / other for value, other in zip(values, base, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, {_LOAD_CORE})
    databases = {"SQLite": "", "PostgreSQL": os.environ.get("TIMBA_TEST_POSTGRES_URL", "")}
    for name, url in databases.items():
        if name == "SQLite" or url:
            print(f"{name}, {CONNECTIONS} connections, one worker", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                compare(prepare(Path(folder), url), options)


if __name__ == "__main__":
    main()
