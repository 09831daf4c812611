"""Lists every dependency of the tests, and starts and stops the servers among them in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from tools.servers.chromium import Chromium
from tools.servers.kafka import Kafka
from tools.servers.lifecycle import ensure_installed, ensure_running, stop
from tools.servers.mariadb import MariaDB
from tools.servers.packages import ServerUnavailable
from tools.servers.postgresql import PostgreSQL
from tools.servers.redis import Redis
from tools.servers.s3 import MinIO, VersityGW
from tools.servers.server import Dependency, Server
from tools.servers.state import ServerState, run_folder, run_lock
from tools.servers.status import Status, get_status

# Where two servers can play the same role for Timba (database, store), the first requested does.
DEPENDENCIES: Final[dict[str, Dependency]] = {
    dependency.name: dependency
    for dependency in (
        PostgreSQL(),
        MariaDB(),
        Redis(),
        VersityGW(),
        MinIO(),
        Kafka(),
        Chromium(),
    )
}


def bring_up(dependencies: Sequence[Dependency], *, durable: bool = False) -> dict[str, str]:
    """Install, build and start; return the reason for each dependency that is unavailable."""

    def start_one(server: Server) -> str:
        began = time.monotonic()
        instance = ensure_running(server, _state(server), durable=durable)
        elapsed = time.monotonic() - began
        return f"{server.title} {instance.version} is up at {instance.address} ({elapsed:.1f} s)."

    with run_lock(run_folder()):
        reasons = ensure_installed(dependencies)
        installed = [dependency for dependency in dependencies if dependency.name not in reasons]
        reasons |= _run_in_parallel(installed, start_one)
        for dependency in dependencies:
            _state(dependency).save_reason(reasons.get(dependency.name, ""))
    return reasons


def take_down(dependencies: Sequence[Dependency]) -> dict[str, str]:
    """Stop servers and remove their data; return the reason for each that does not stop."""

    def stop_one(server: Server) -> str:
        return f"{server.title} is down." if stop(server, _state(server)) else ""

    with run_lock(run_folder()):
        reasons = _run_in_parallel(dependencies, stop_one)
        for dependency in dependencies:
            if not isinstance(dependency, Server):
                _state(dependency).clear()
    return reasons


def get_statuses(dependencies: Iterable[Dependency]) -> list[Status]:
    """Return the current status of each dependency."""
    return [get_status(dependency, _state(dependency)) for dependency in dependencies]


def _run_in_parallel(
    dependencies: Iterable[Dependency], action: Callable[[Server], str]
) -> dict[str, str]:
    """Run `action` for all servers at once and print its results; return the failures."""
    reasons = {}
    with ThreadPoolExecutor(max_workers=len(DEPENDENCIES)) as pool:
        servers = [dependency for dependency in dependencies if isinstance(dependency, Server)]
        futures = {pool.submit(action, server): server for server in servers}
        for future in as_completed(futures):
            try:
                if sentence := future.result():
                    print(sentence, flush=True)
            except ServerUnavailable as reason:
                reasons[futures[future].name] = str(reason)
    return reasons


def _state(dependency: Dependency) -> ServerState:
    return ServerState(run=run_folder(), name=dependency.name)
