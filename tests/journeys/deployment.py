"""A complete Timba on servers of its own, whose processes and servers a test can kill."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import psycopg
import requests

from tests.journeys.processes import find_processes, kill_all, wait_until
from tests.journeys.timba_process import ROOT, ApiClient, TimbaProcess
from tests.journeys.upload_cases import UploadCase
from tests.servers import DedicatedServer
from tools.servers.databases import PostgreSQL, Redis
from tools.servers.s3 import VersityGW

PASSWORD = "larch-and-alder-48"
START_SECONDS = 300
# 200 is the response to a duplicate. The others make the program repeat its request.
ACCEPTED = (HTTPStatus.CREATED, HTTPStatus.OK)
REPEATED = (HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)
SHORT_TIMEOUT_SECONDS = 0.03


class Deployment:
    """`manage.py serve` on PostgreSQL, Redis and S3; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._end = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as end:
            self.postgres = end.enter_context(DedicatedServer(PostgreSQL()))
            self.redis = end.enter_context(DedicatedServer(Redis()))
            self.s3 = end.enter_context(DedicatedServer(VersityGW()))
            self._storage = urlsplit(self.s3.variables()["STORAGE_URL"])
            self.bucket = self._storage.path.strip("/")
            self.s3_client.create_bucket(Bucket=self.bucket)
            self.timba = TimbaProcess(
                self._folder,
                TIMBA_ADMIN_PASSWORD=PASSWORD,
                TIMBA_LEASE_SECONDS="3",
                **self.postgres.variables(),
                **self.redis.variables(),
                **self.s3.variables(),
            )
            end.callback(kill_all, "TIMBA_DATA_DIR", str(self._folder))
            self._served = self._manage("serve")
            end.callback(self._stop)
            wait_until(self._is_live, seconds=START_SECONDS, what="Timba is live")
            assert self._manage("csu").wait(START_SECONDS) == 0
            self._create_users()
            self._end = end.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def sign_in(self) -> ApiClient:
        return self.timba.sign_in("owner", PASSWORD)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL query."""
        return self._database.execute(sql.encode()).fetchall()

    @cached_property
    def _database(self) -> psycopg.Connection[tuple[Any, ...]]:
        url = self.postgres.variables()["DATABASE_URL"]
        return self._end.enter_context(psycopg.connect(url, autocommit=True))

    @cached_property
    def s3_client(self) -> Any:
        """Return a client of the S3 server."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://{self._storage.hostname}:{self._storage.port}",
            aws_access_key_id=self._storage.username,
            aws_secret_access_key=self._storage.password,
            region_name="us-east-1",
        )

    def object_keys(self) -> set[str]:
        """Return the keys of all objects and, marked, of all incomplete multipart uploads."""
        listed = self.s3_client.list_objects_v2(Bucket=self.bucket)
        assert not listed["IsTruncated"]
        begun = self.s3_client.list_multipart_uploads(Bucket=self.bucket)
        return {item["Key"] for item in listed.get("Contents") or ()} | {
            f"begun: {item['Key']}" for item in begun.get("Uploads") or ()
        }

    def is_processing(self) -> bool:
        """Whether a worker is processing a file."""
        return bool(
            self.query("SELECT 1 FROM files_file WHERE status = 'PENDING' AND lease_until > NOW()")
        )

    def workers(self) -> list[int]:
        """Return the pids of the workers' main processes."""
        return [pid for pid in _children(self._served.pid) if " --queues=" in _command(pid)]

    def pool_processes(self) -> list[int]:
        """Return the pids of the workers' pool processes, which run the tasks."""
        return [child for worker in self.workers() for child in _children(worker)]

    def web_workers(self) -> list[int]:
        """Return the pids of the web server's worker processes."""
        servers = [pid for pid in _children(self._served.pid) if " granian " in _command(pid)]
        return [worker for server in servers for worker in _children(server)]

    def sandboxes(self) -> list[int]:
        """Return the pids of the sandboxes, which read files."""
        return [child for child in self.pool_processes() for child in _children(child)]

    def _create_users(self) -> None:
        staff = self.timba.sign_in("admin", PASSWORD)
        sawmill = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
        client_id = staff.request("PUT", "/timba/client", json=sawmill).json()["data"]["id"]
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
            lambda: not find_processes("TIMBA_DATA_DIR", str(self._folder)),
            seconds=START_SECONDS,
            what="every process of Timba has ended",
        )

    def _is_live(self) -> bool:
        assert self._served.poll() is None, (self._folder / "serve.log").read_text()
        try:
            return requests.get(f"{self.timba.url}/health/live", timeout=5).ok
        except requests.RequestException:
            return False


class Uploaders:
    """Threads that upload files, each until it is acknowledged; some requests time out early."""

    def __init__(self, deployment: Deployment, cases: Sequence[UploadCase], *, seed: int) -> None:
        self._deployment = deployment
        self._cases = list(cases)
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.responses: dict[str, Any] = {}
        self.statuses: dict[int, int] = {}
        self.timeouts = 0
        self.errors: list[str] = []

    def start(self, count: int, *, pause: float) -> list[threading.Thread]:
        clients = [self._deployment.sign_in() for _ in range(count)]
        threads = [
            threading.Thread(target=self._upload_all, args=[client, pause]) for client in clients
        ]
        for thread in threads:
            thread.start()
        return threads

    def upload(self, client: ApiClient, case: UploadCase, *, timeout: float) -> Any:
        """Upload a file once; return the response, or None if there was none."""
        try:
            response = client.post(
                case.url,
                files={"file": (case.name, case.content)},
                headers={"Idempotency-Key": case.name},
                timeout=timeout,
            )
        except requests.RequestException:
            with self._lock:
                self.timeouts += 1
            return None
        with self._lock:
            self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        if response.status_code not in (*ACCEPTED, *REPEATED):
            self.errors.append(f"{case.name}: {response.status_code} {response.text[:300]}")
        return response

    def _upload_all(self, client: ApiClient, pause: float) -> None:
        while True:
            with self._lock:
                if not self._cases:
                    return
                case = self._cases.pop()
                use_short_timeout = self._rng.random() < 0.2
            deadline = time.monotonic() + START_SECONDS
            response = None
            while response is None or response.status_code not in ACCEPTED:
                if self.errors or time.monotonic() > deadline:
                    self.errors.append(f"{case.name} was never acknowledged")
                    return
                timeout = SHORT_TIMEOUT_SECONDS if use_short_timeout else 60
                response = self.upload(client, case, timeout=timeout)
                use_short_timeout = False
                time.sleep(pause)
            with self._lock:
                self.responses[case.name] = response.json()


def _children(pid: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return children


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
