"""A whole Timba on servers of its own, for those who mean it ill: who is there to be killed?"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import psycopg
import requests

from tests.journeys.cargo import Parcel
from tests.journeys.processes import end_all, wait_until, with_variable
from tests.journeys.timba_process import ROOT, Program, TimbaProcess
from tests.own_servers import OwnServer
from tools.servers.postgresql import PostgreSQL
from tools.servers.redis import Redis
from tools.servers.s3 import VersityGW

PASSWORD = "larch-and-alder-48"
START_SECONDS = 300
IMPATIENT_SECONDS = 0.03


class Harbour:
    """`manage.py serve` on PostgreSQL, Redis and S3; a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._end = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as end:
            self.postgres = end.enter_context(OwnServer(PostgreSQL()))
            self.redis = end.enter_context(OwnServer(Redis()))
            self.s3 = end.enter_context(OwnServer(VersityGW()))
            self._storage = urlsplit(self.s3.variables()["STORAGE_URL"])
            self.bucket = self._storage.path.strip("/")
            self.store.create_bucket(Bucket=self.bucket)
            self.timba = TimbaProcess(
                self._folder,
                TIMBA_ADMIN_PASSWORD=PASSWORD,
                TIMBA_LEASE_SECONDS="3",
                **self.postgres.variables(),
                **self.redis.variables(),
                **self.s3.variables(),
            )
            end.callback(end_all, "TIMBA_DATA_DIR", str(self._folder))
            self._served = self._manage("serve")
            end.callback(self._stop)
            wait_until(self._is_live, seconds=START_SECONDS, what="Timba is live")
            assert self._manage("csu").wait(START_SECONDS) == 0
            self._make_people()
            self._end = end.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def sign_in(self) -> Program:
        return self.timba.sign_in("owner", PASSWORD)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        return self._database.execute(query.encode()).fetchall()

    @cached_property
    def _database(self) -> psycopg.Connection[tuple[Any, ...]]:
        url = self.postgres.variables()["DATABASE_URL"]
        return self._end.enter_context(psycopg.connect(url, autocommit=True))

    @cached_property
    def store(self) -> Any:
        """Return what talks to the S3 server itself."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://{self._storage.hostname}:{self._storage.port}",
            aws_access_key_id=self._storage.username,
            aws_secret_access_key=self._storage.password,
            region_name="us-east-1",
        )

    def objects(self) -> set[str]:
        """Return the keys of everything in the bucket, finished or not."""
        listed = self.store.list_objects_v2(Bucket=self.bucket)
        assert not listed["IsTruncated"]
        begun = self.store.list_multipart_uploads(Bucket=self.bucket)
        return {one["Key"] for one in listed.get("Contents") or ()} | {
            f"begun: {one['Key']}" for one in begun.get("Uploads") or ()
        }

    def is_at_work(self) -> bool:
        """Whether a worker has a file in hand."""
        return bool(
            self.ask("SELECT 1 FROM files_file WHERE status = 'PENDING' AND lease_until > NOW()")
        )

    def workers(self) -> list[int]:
        """Return the workers' main processes."""
        return [pid for pid in _children(self._served.pid) if " --queues=" in _command(pid)]

    def hands(self) -> list[int]:
        """Return the processes in which the workers do their work."""
        return [hand for worker in self.workers() for hand in _children(worker)]

    def doors(self) -> list[int]:
        """Return the web server's workers."""
        servers = [pid for pid in _children(self._served.pid) if " granian " in _command(pid)]
        return [door for server in servers for door in _children(server)]

    def sandboxes(self) -> list[int]:
        return [child for hand in self.hands() for child in _children(hand)]

    def _make_people(self) -> None:
        staff = self.timba.sign_in("admin", PASSWORD)
        company = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
        client_id = staff.request("PUT", "/timba/client", json=company).json()["data"]["id"]
        owner = {"client_id": client_id, "name": "Owner", "username": "owner", "address": ""}
        owner |= {"contact": "", "role": "owner", "password": PASSWORD}
        assert staff.request("PUT", "/timba/user", json=owner).status_code == 201

    def _manage(self, command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{command}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.timba.environment(),
            )

    def _stop(self) -> None:
        self._served.terminate()
        self._served.wait(START_SECONDS)
        wait_until(
            lambda: not with_variable("TIMBA_DATA_DIR", str(self._folder)),
            seconds=START_SECONDS,
            what="nothing of Timba is left",
        )

    def _is_live(self) -> bool:
        assert self._served.poll() is None, (self._folder / "serve.log").read_text()
        try:
            return requests.get(f"{self.timba.url}/health/live", timeout=5).ok
        except requests.RequestException:
            return False


class Shippers:
    """Programs that send parcels until each is acknowledged, and do not wait for every answer."""

    def __init__(self, harbour: Harbour, parcels: Sequence[Parcel], *, seed: int) -> None:
        self._harbour = harbour
        self._parcels = list(parcels)
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.answers: dict[str, Any] = {}
        self.statuses: dict[int, int] = {}
        self.lost_answers = 0
        self.troubles: list[str] = []

    def start(self, count: int, *, pause: float) -> list[threading.Thread]:
        programs = [self._harbour.sign_in() for _ in range(count)]
        threads = [
            threading.Thread(target=self._ship_all, args=[program, pause]) for program in programs
        ]
        for thread in threads:
            thread.start()
        return threads

    def send(self, program: Program, parcel: Parcel, *, timeout: float) -> Any:
        """Send a parcel once; return its answer, or None where none came."""
        try:
            answer = program.post(
                parcel.door,
                files={"file": (parcel.name, parcel.content)},
                headers={"Idempotency-Key": parcel.name},
                timeout=timeout,
            )
        except requests.RequestException:
            with self._lock:
                self.lost_answers += 1
            return None
        with self._lock:
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code not in {200, 201, 409, 503}:
            self.troubles.append(f"{parcel.name}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _ship_all(self, program: Program, pause: float) -> None:
        while True:
            with self._lock:
                if not self._parcels:
                    return
                parcel = self._parcels.pop()
                impatient = self._chance.random() < 0.2
            deadline = time.monotonic() + START_SECONDS
            answer = None
            while answer is None or answer.status_code not in {200, 201}:
                if self.troubles or time.monotonic() > deadline:
                    self.troubles.append(f"{parcel.name} was never acknowledged")
                    return
                timeout = IMPATIENT_SECONDS if impatient else 60
                answer = self.send(program, parcel, timeout=timeout)
                impatient = False
                time.sleep(pause)
            with self._lock:
                self.answers[parcel.name] = answer.json()


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
