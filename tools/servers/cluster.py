"""Lists every dependency of the tests, and runs the servers among them side by side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.servers.databases import MariaDB, PostgreSQL, Redis
from tools.servers.dependency import Chromium, Dependency, ensure_installed
from tools.servers.kafka import Kafka
from tools.servers.machine import ServerUnavailable
from tools.servers.s3 import MinIO, VersityGW
from tools.servers.server import Server

# Where two servers can play the same role for Timba (database, store), the first requested does.
DEPENDENCIES: Final[dict[str, type[Dependency]]] = {
    dependency.name: dependency
    for dependency in (PostgreSQL, MariaDB, Redis, VersityGW, MinIO, Kafka, Chromium)
}

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private folder is created there
_FREE_BYTES: Final = 4 * 2**30


@contextmanager
def running(
    dependencies: Sequence[Dependency], *, durable: bool = False
) -> Iterator[dict[str, str]]:
    """Install, build and start; yield the reason for each dependency that is unavailable.

    The servers are stopped, and their data removed, when the block is left.
    """
    reasons = ensure_installed(dependencies)
    servers = [
        each for each in dependencies if isinstance(each, Server) and each.name not in reasons
    ]
    memory = None if durable else _memory()
    with TemporaryDirectory(prefix="timba-services-", dir=memory) as folder, ExitStack() as end:
        Path(folder).chmod(0o711)  # some servers run under other accounts
        yield reasons | _start(servers, Path(folder), durable, end)


def _memory() -> Path | None:
    """Return memory as a place for data: on a disk, MariaDB waits for every table it creates."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _FREE_BYTES
    return _MEMORY if has_room and "TMPDIR" not in os.environ else None


def environment(
    dependencies: Sequence[Dependency], reasons: dict[str, str], *, for_timba: bool
) -> dict[str, str]:
    """Return the variables that name what is available, and the reasons for what is not.

    With `for_timba`, Timba's own variables are included; where two servers can be its database or
    store, the first of them is.
    """
    variables: dict[str, str] = {}
    titles = []
    for dependency in dependencies:
        if reason := reasons.get(dependency.name):
            variables[f"TIMBA_TEST_{dependency.name.upper()}_MISSING"] = reason
            continue
        titles.append(f"{dependency.title} {dependency.version()}")
        if isinstance(dependency, Server):
            if for_timba:
                variables = dependency.timba_variables() | variables
            variables |= dependency.test_variables()
    variables["TIMBA_TEST_SERVERS"] = ", ".join(titles)
    return variables


def _start(
    servers: Sequence[Server], folder: Path, durable: bool, end: ExitStack
) -> dict[str, str]:
    """Start all servers at once, to be stopped by `end`; return the reason for each that fails.

    Threads create their data, but this thread launches them, because it lives as long as they.
    """
    reasons = {}
    with ThreadPoolExecutor() as pool:
        futures = {
            pool.submit(server.prepare, folder, durable=durable): server for server in servers
        }
        for future in as_completed(futures):
            server = futures[future]
            try:
                future.result()
                server.launch()
                end.callback(server.stop)
            except ServerUnavailable as reason:
                reasons[server.name] = str(reason)
    for server in (each for each in servers if each.name not in reasons):
        try:
            server.wait_until_ready()
            print(f"{server.title} {server.version()} is up at {server.address}.", flush=True)
        except ServerUnavailable as reason:
            reasons[server.name] = str(reason)
    return reasons
