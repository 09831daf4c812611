"""Signed-in reads and `/health/live` over the wire, against a constant and against the usual way.

    .venv/bin/python bench/web.py [--paths statistic log notes health] [--seconds 3] [--rounds 5]
    tools/services run --durable postgres -- .venv/bin/python bench/web.py

The database is the PostgreSQL one of `DATABASE_URL`, or a new SQLite one for each application.

Three applications run on the same web server with the same options, each in one process on the
first core: Django views that return constants as JSON without any middleware, Timba, and Django
REST framework with simplejwt and rows of the database (see `peers/`). They are measured in turn;
the last core makes the requests over 16 connections. Prints for each path and application the
requests per second and the 99th percentile, with their ratios to the constant's; the server's
processor time per request, with its ratio to the usual way's; and the same for calls in one thread
without a server. Ratios are medians of the rounds' ratios: absolute rates mean nothing on shared
machines. Each bar is then `met` or `missed`. One is absolute: the processor time of `/health/live`
in process. Over the wire it has none, because the web server alone takes nearly as much.
"""

# ruff: noqa: E402 - the modules of the tests are found after the path is set

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

_ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from bench.peers.calls import call_repeatedly
from tests.journeys.processes import child_pids, free_port, wait_until

CONNECTIONS: Final = 16
CALLS_IN_PROCESS: Final = 500
PATHS: Final = {
    "statistic": "/temperature-readings/7/",
    "log": "/timba/log?log_id={log_id}",
    "notes": "/api/notes/?limit=10",
    "health": "/health/live",
}
USUAL_PATHS: Final = PATHS | {"log": "/api/logs/{log_id}/"}
_PEERS: Final = _ROOT / "bench/peers"
_SERVER_CORE, _LOAD_CORE = 0, (os.cpu_count() or 1) - 1
_LINE: Final = (
    "  {path:<10}{name:<22}{rate:>6.0f} requests/s{ratio:>5.2f} ×{p99:>7.2f} ms p99{slower:>6.2f} ×"
    "{cpu:>6.0f} µs CPU{costlier:>5.2f} ×{alone:>6.0f} µs in process{costlier_alone:>5.2f} ×"
)


@dataclass
class Figures:
    """What was measured of one path of an application, round by round."""

    rates: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cpu_in_process: list[float] = field(default_factory=list)


@dataclass
class Peer:
    """An application to measure; `rows` creates its rows and prints a token and the id of a log."""

    name: str
    file: Path
    variables: dict[str, str]
    rows: Path | None = None
    paths: dict[str, str] = field(default_factory=lambda: PATHS)
    token: str = ""
    log_id: int = 1
    port: int = 0
    server: subprocess.Popen[bytes] | None = None
    process: subprocess.Popen[str] | None = None

    def path(self, name: str) -> str:
        return self.paths[name].format(log_id=self.log_id)

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if name != "health" else {}

    def cpu_seconds(self) -> float:
        """Return the processor time of the server so far."""
        assert self.server is not None
        pids = [self.server.pid, *child_pids(self.server.pid)]
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    def create_rows(self) -> None:
        if self.rows is not None:
            run = subprocess.run(
                [sys.executable, str(self.rows)],
                env=os.environ | self.variables,
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            created = json.loads(run.stdout.splitlines()[-1])
            self.token, self.log_id = created["token"], created["log_id"]

    def start(self) -> None:
        """Start the web server as `timba.runtime.processes` does, and a process without one."""
        self.port = free_port()
        serve = (
            "import django; django.setup(); import os, sys; "
            "from timba.runtime.processes import processes, WEB; "
            "command = [*processes(only=[WEB])[0].command[:-1], sys.argv[1]]; "
            "os.execv(command[0], command)"
        )
        options: dict[str, Any] = {
            "env": {**os.environ, **self.variables, "TIMBA_PORT": str(self.port)},
            "cwd": _ROOT,
            "preexec_fn": lambda: os.sched_setaffinity(0, {_SERVER_CORE}),
        }
        self.server = subprocess.Popen(
            [sys.executable, "-c", serve, f"{self.file}:application"], **options
        )
        self.process = subprocess.Popen(
            [sys.executable, str(_PEERS / "in_process.py"), str(self.file)],
            **options,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        for process in (self.server, self.process):
            if process is not None:
                process.terminate()
                process.wait()

    def is_live(self) -> bool:
        try:
            return self.get("health") is not None
        except requests.RequestException:
            return False

    def get(self, name: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}{self.path(name)}"
        response = requests.get(url, headers=self.headers(name), timeout=5)
        response.raise_for_status()
        return dict(response.json())

    def measure(self, name: str, figures: Figures, seconds: float) -> None:
        """Add the figures of one round."""
        cpu_before = self.cpu_seconds()
        latencies = call_repeatedly(
            self.port,
            self.path(name),
            self.headers(name),
            connections=CONNECTIONS,
            seconds=seconds,
        )
        figures.cpu.append((self.cpu_seconds() - cpu_before) / len(latencies) * 1e6)
        figures.rates.append(len(latencies) / seconds)
        figures.p99s.append(statistics.quantiles(latencies, n=100)[98] * 1000)
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"path": self.path(name), "headers": self.headers(name)}
        print(
            json.dumps(request | {"calls": CALLS_IN_PROCESS}), file=self.process.stdin, flush=True
        )
        figures.cpu_in_process.append(float(self.process.stdout.readline()))


@contextmanager
def running(peers: list[Peer]) -> Iterator[None]:
    """Create the rows of each peer, then run it on its own web server, all on the server's core."""
    try:
        for peer in peers:
            peer.create_rows()
            peer.start()
        for peer in peers:
            wait_until(peer.is_live, seconds=60, what=f"{peer.name} responds")
        yield
    finally:
        for peer in peers:
            peer.stop()


def peers_on(folder: Path, database_url: str) -> list[Peer]:
    """Return the peers: the constant, Timba, the usual way."""
    timba = {
        "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
        "TIMBA_DATA_DIR": str(folder),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/timba.sqlite3",
        "PYTHONPATH": str(_ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    usual = {**timba, "USUAL_DATABASE_URL": database_url or f"sqlite:///{folder}/usual.sqlite3"}
    asgi, usual_way = _ROOT / "timba/config/asgi.py", _PEERS / "usual_way.py"
    return [
        Peer("a constant", _PEERS / "constant.py", timba),
        Peer("Timba", asgi, timba, rows=_PEERS / "timba_rows.py"),
        Peer("DRF, simplejwt, rows", usual_way, usual, rows=usual_way, paths=USUAL_PATHS),
    ]


def check_same_fields(name: str, peers: list[Peer]) -> None:
    """Fail unless all peers answer with the same fields, and as many rows of a list."""
    expected, *others = (peer.get(name) for peer in peers)
    for other in others:
        assert expected.keys() <= other.keys(), other
        if "results" in expected:
            rows, other_rows = expected["results"], other["results"]
            assert [row.keys() for row in rows] == [row.keys() for row in other_rows], other


def compare(name: str, peers: list[Peer], options: argparse.Namespace) -> list[Figures]:
    """Measure a path of the peers in turn, round after round; print a line for each."""
    check_same_fields(name, peers)
    for peer in peers:
        peer.measure(name, Figures(), 1)
    all_figures = [Figures() for _ in peers]
    for _ in range(options.rounds):
        for peer, figures in zip(peers, all_figures, strict=True):
            peer.measure(name, figures, options.seconds)
    constant, _, usual = all_figures
    for peer, figures in zip(peers, all_figures, strict=True):
        line = _LINE.format(
            path=name,
            name=peer.name,
            rate=statistics.median(figures.rates),
            ratio=_ratio(figures.rates, constant.rates),
            p99=statistics.median(figures.p99s),
            slower=_ratio(figures.p99s, constant.p99s),
            cpu=statistics.median(figures.cpu),
            costlier=_ratio(figures.cpu, usual.cpu),
            alone=statistics.median(figures.cpu_in_process),
            costlier_alone=_ratio(figures.cpu_in_process, usual.cpu_in_process),
        )
        print(line, flush=True)
    return all_figures


def print_bars(name: str, all_figures: list[Figures], *, is_embedded: bool) -> bool:
    """Print each bar of a path with what was measured, and return whether one was missed.

    Reads of rows have one on SQLite only.
    """
    constant, timba, usual = all_figures
    least: list[tuple[str, float, float]] = []
    most: list[tuple[str, float, float]] = []
    if name == "statistic":
        rate = _ratio(timba.rates, constant.rates)
        least.append(("requests/s of the constant's", rate, 0.4 if is_embedded else 0.25))
        if not is_embedded:
            least.append(("requests/s of the usual way's", _ratio(timba.rates, usual.rates), 2))
        most.append(("p99 of the constant's", _ratio(timba.p99s, constant.p99s), 3))
    elif name == "health":
        most.append(("µs CPU in process", statistics.median(timba.cpu_in_process), 200))
    elif is_embedded:
        most.append(("CPU of the usual way's", _ratio(timba.cpu, usual.cpu), 1))
    for what, value, bar in least:
        print(f"    {what}: {value:.2f}, at least {bar}: {'met' if value >= bar else 'missed'}")
    for what, value, bar in most:
        print(f"    {what}: {value:.2f}, at most {bar}: {'met' if value <= bar else 'missed'}")
    return any(value < bar for _, value, bar in least) or any(value > bar for _, value, bar in most)


def _ratio(values: list[float], base: list[float]) -> float:
    return statistics.median(value / other for value, other in zip(values, base, strict=True))


def main() -> None:
    """Measure the paths that are asked for; exit with status 1 if a bar was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, {_LOAD_CORE})
    url = os.environ.get("DATABASE_URL", "")
    if url and not url.startswith("postgres"):
        parser.error("DATABASE_URL names no PostgreSQL database")
    database = "PostgreSQL" if url else "SQLite"
    print(f"{database}, {CONNECTIONS} connections, one worker", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        peers = peers_on(Path(folder), url)
        with running(peers):
            missed = [
                print_bars(name, compare(name, peers, options), is_embedded=not url)
                for name in options.paths
            ]
    sys.exit(any(missed))


if __name__ == "__main__":
    main()
