"""Response times of normal callers while one address sends and reads as slowly as possible.

    .venv/bin/python bench/slow_callers.py

Requests the health check, a list and a statistic of a new Timba: first alone, then during 200 slow
bodies, 100 slow headers and 50 slow readers from 127.0.0.1, which reconnect when they are
disconnected. Prints the 95th percentiles, their ratios, and the result of an upload from 127.0.0.2.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from multiprocessing import Process, Queue
from pathlib import Path
from statistics import quantiles
from typing import Final

import requests
from requests.adapters import HTTPAdapter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.journeys.timba_process import TimbaProcess

SECONDS: Final = float(os.environ.get("SECONDS", "60"))
SLOW_BODIES: Final = 200
SLOW_HEADERS: Final = 100
SLOW_READERS: Final = 50
PAUSE: Final = 0.05
PASSWORD: Final = "larch-and-alder-48"
_BIG: Final = 32 * 1024 * 1024


def main() -> None:
    """Start Timba and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        timba = TimbaProcess(Path(folder), TIMBA_ADMIN_PASSWORD=PASSWORD)
        timba.start()
        try:
            _measure(timba)
        finally:
            timba.clean_up()


def _measure(timba: TimbaProcess) -> None:
    program = timba.sign_in("ilze", timba.password_of("ilze"))
    big = program.post("/api/files/", files={"file": ("big.txt", b"larch\n" * (_BIG // 6))}).json()
    program.wait_for_task(big["task_id"])
    city = program.get("/temperature-readings/").json()["cities"][0]["city_id"]
    headers = {"Authorization": program.authorization}
    paths = ("/health/live", "/api/notes/?limit=10", f"/temperature-readings/{city}/")
    alone = _response_times(timba.url, paths, headers, SECONDS / 3)
    counts: Queue[Counter[str]] = Queue()
    content = f"/api/files/{big['id']}/content/"
    attack = Process(
        target=lambda: counts.put(asyncio.run(_attack(timba.port, content, headers))), daemon=True
    )
    attack.start()
    time.sleep(3)
    attacked = _response_times(timba.url, paths, headers, SECONDS - 10)
    session = requests.Session()
    session.mount("http://", _SourceAddressAdapter("127.0.0.2"))
    begin = time.monotonic()
    upload = session.post(
        f"{timba.url}/api/files/", headers=headers, files={"file": ("load.txt", b"x" * 3_000_000)}
    )
    elapsed = time.monotonic() - begin
    outcomes = counts.get(timeout=60)
    attack.join()
    for path in paths:
        before, after = _p95(alone[path]), _p95(attacked[path])
        print(
            f"{path}: p95 {before:.1f} ms alone, {after:.1f} ms during the attack,"
            f" {after / before:.2f} times"
            f" ({len(alone[path])} and {len(attacked[path])} requests)"
        )
    print(f"an upload of 3 MB from 127.0.0.2: {upload.status_code} after {elapsed:.2f} s")
    print(f"responses to the slow callers: {dict(outcomes)}")


class _SourceAddressAdapter(HTTPAdapter):
    """Sends requests from a given address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, **options, source_address=(self._address, 0))


def _response_times(
    url: str, paths: tuple[str, ...], headers: dict[str, str], seconds: float
) -> dict[str, list[float]]:
    session = requests.Session()
    times: dict[str, list[float]] = {path: [] for path in paths}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in paths:
            begin = time.monotonic()
            answer = session.get(url + path, headers=headers, timeout=60)
            times[path].append((time.monotonic() - begin) * 1000)
            assert answer.status_code == 200, answer.text
            time.sleep(PAUSE)
    return times


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


async def _attack(port: int, content: str, headers: dict[str, str]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    auth = f"Authorization: {headers['Authorization']}"
    body = (
        b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
    )
    reader = f"GET {content} HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}\r\n\r\n".encode()
    header = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
    tasks = [
        *(asyncio.create_task(_slow(port, body, "body", outcomes)) for _ in range(SLOW_BODIES)),
        *(
            asyncio.create_task(_slow(port, header, "headers", outcomes))
            for _ in range(SLOW_HEADERS)
        ),
        *(asyncio.create_task(_slow_reader(port, reader, outcomes)) for _ in range(SLOW_READERS)),
    ]
    await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    return outcomes


async def _slow(port: int, beginning: bytes, name: str, outcomes: Counter[str]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            answer = asyncio.ensure_future(reader.read(12))
            while not answer.done():
                await asyncio.wait([answer], timeout=1)
                writer.write(b"a")
            outcomes[f"{name}: {answer.result()[9:].decode() or 'closed'}"] += 1
            writer.close()
        await asyncio.sleep(0.1)


async def _slow_reader(port: int, request: bytes, outcomes: Counter[str]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(request)
            while await reader.read(100):  # noqa: ASYNC110 - the slowness is intended
                await asyncio.sleep(1)
            outcomes["reader: disconnected"] += 1
            writer.close()
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
