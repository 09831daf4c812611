"""What honest callers wait while one address sends and reads as slowly as it can.

    .venv/bin/python bench/slow_callers.py

A Timba of its own is asked for its health, a list and a statistic: first alone, then beside 200
slow bodies, 100 slow headers and 50 slow readers from 127.0.0.1, each of which comes again when it
is cut. Prints the 95th percentiles and their ratios, and how an upload from 127.0.0.2 ends.
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
    """Print the ratios."""
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
    quiet = _waits(timba.url, paths, headers, SECONDS / 3)
    counts: Queue[Counter[str]] = Queue()
    content = f"/api/files/{big['id']}/content/"
    attack = Process(
        target=lambda: counts.put(asyncio.run(_attack(timba.port, content, headers))), daemon=True
    )
    attack.start()
    time.sleep(3)
    beside = _waits(timba.url, paths, headers, SECONDS - 10)
    session = requests.Session()
    session.mount("http://", _From("127.0.0.2"))
    begin = time.monotonic()
    upload = session.post(
        f"{timba.url}/api/files/", headers=headers, files={"file": ("load.txt", b"x" * 3_000_000)}
    )
    took = time.monotonic() - begin
    said = counts.get(timeout=60)
    attack.join()
    for path in paths:
        before, after = _p95(quiet[path]), _p95(beside[path])
        print(
            f"{path}: p95 {before:.1f} ms alone, {after:.1f} ms beside: {after / before:.2f} times"
            f" ({len(quiet[path])} and {len(beside[path])} requests)"
        )
    print(f"an upload of 3 MB from 127.0.0.2: {upload.status_code} after {took:.2f} s")
    print(f"the slow callers were told: {dict(said)}")


class _From(HTTPAdapter):
    """Sends requests from an address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, **options, source_address=(self._address, 0))


def _waits(
    url: str, paths: tuple[str, ...], headers: dict[str, str], seconds: float
) -> dict[str, list[float]]:
    session = requests.Session()
    waits: dict[str, list[float]] = {path: [] for path in paths}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in paths:
            begin = time.monotonic()
            answer = session.get(url + path, headers=headers, timeout=60)
            waits[path].append((time.monotonic() - begin) * 1000)
            assert answer.status_code == 200, answer.text
            time.sleep(PAUSE)
    return waits


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


async def _attack(port: int, content: str, headers: dict[str, str]) -> Counter[str]:
    said: Counter[str] = Counter()
    auth = f"Authorization: {headers['Authorization']}"
    body = (
        b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
    )
    reader = f"GET {content} HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}\r\n\r\n".encode()
    header = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
    tasks = [
        *(asyncio.create_task(_slow(port, body, "body", said)) for _ in range(SLOW_BODIES)),
        *(asyncio.create_task(_slow(port, header, "headers", said)) for _ in range(SLOW_HEADERS)),
        *(asyncio.create_task(_slow_reader(port, reader, said)) for _ in range(SLOW_READERS)),
    ]
    await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    return said


async def _slow(port: int, beginning: bytes, name: str, said: Counter[str]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            answer = asyncio.ensure_future(reader.read(12))
            while not answer.done():
                await asyncio.wait([answer], timeout=1)
                writer.write(b"a")
            said[f"{name}: {answer.result()[9:].decode() or 'closed'}"] += 1
            writer.close()
        await asyncio.sleep(0.1)


async def _slow_reader(port: int, request: bytes, said: Counter[str]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(request)
            while await reader.read(100):  # noqa: ASYNC110 - slowness is what it is for
                await asyncio.sleep(1)
            said["reader: cut"] += 1
            writer.close()
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
