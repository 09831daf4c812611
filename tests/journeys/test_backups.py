"""A backup that is made under writes moves a Timba from one database and object store to others."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest

from tests.journeys.company import WORDS
from tests.journeys.processes import kill_all
from tests.journeys.timba_process import ROOT
from tests.servers import DedicatedServer, skip_or_fail
from timba.config.env import parse_storage_url
from timba.files.s3 import S3Storage
from timba.runtime.backup_format import BackupFolder, read_lines
from tools.servers.databases import MariaDB, PostgreSQL
from tools.servers.s3 import VersityGW

pytestmark = [pytest.mark.journey, pytest.mark.slow]

WRITES_PER_SECOND = 50
JWT_KEY = secrets.token_urlsafe(48)
_FOREIGN = ("TIMBA_", "DATABASE_", "DJANGO_", "BROKER_", "KAFKA_", "CACHE_", "STORAGE_")


class Site:
    """An installation without running processes; `variables` name its servers."""

    def __init__(self, folder: Path, **variables: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self.folder = folder
        # All have the same key of tokens, as an installation has that is restored.
        own = {"TIMBA_DATA_DIR": str(folder), "TIMBA_JWT_KEY": JWT_KEY}
        self.variables = {**inherited, **own, **variables}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a management command."""
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *command],
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str) -> str:
        """Run a management command; return what it prints, or fail with it."""
        process = self.start(*command)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        return printed

    def call(self, call: str) -> tuple[str, ...]:
        """Return the command that calls a function of `tests.journeys.company`."""
        return ("shell", "-v0", "-c", f"from tests.journeys.company import *; {call}")

    def reads(self) -> list[str]:
        return sorted(
            line for line in self.run(*self.call("print_reads()")).splitlines() if line[0] == "["
        )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="timba-backups-") as name:
        yield Path(name)
        kill_all("TIMBA_DATA_DIR", str(Path(name) / "first"))


@pytest.fixture(scope="module")
def first(folder: Path) -> Site:
    """Return an installation on SQLite and a folder."""
    site = Site(folder / "first")
    site.run("migrate", "-v0")
    site.run("createcachetable", "-v0")
    site.run(*site.call("fill()"))
    return site


@pytest.fixture(scope="module")
def under_writes(first: Site, folder: Path) -> Path:
    """Return a folder of backups: one was killed, the others were made under writes."""
    backups = BackupFolder(folder / "under writes")
    stop = folder / "stop"
    rate = WRITES_PER_SECOND / len(WORDS)
    call = "write_until(Path({!r}), word={!r}, per_second={!r})"
    writers = [first.start(*first.call(call.format(str(stop), word, rate))) for word in WORDS]
    try:
        killed = first.start(*first.call(f"make_backup_until_killed(Path({str(backups.path)!r}))"))
        printed, _ = killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL, printed
        assert backups.names() == []
        for _ in range(2):
            first.run("backup", str(backups.path))
    finally:
        stop.touch()
        printed = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers), printed
    print(*printed)
    return backups.path


def event_count(folder: Path, name: str) -> int:
    rows = BackupFolder(folder).snapshot(name) / "rows" / "events.outboxevent.jsonl.gz"
    return sum(1 for _ in read_lines(rows))


@pytest.fixture(scope="module")
def restored(under_writes: Path, folder: Path) -> Site:
    """Return an installation on SQLite and a folder with the newest backup under writes."""
    site = Site(folder / "restored")
    # It ends with `fsck --deep`: no object is missing, totals are exact, events have no gap.
    site.run("restore", str(under_writes))
    return site


@pytest.mark.usefixtures("restored")
def test_a_backup_under_writes_is_consistent(under_writes: Path) -> None:
    earlier, later = BackupFolder(under_writes).names()
    assert event_count(under_writes, earlier) < event_count(under_writes, later)


@pytest.fixture
def on_servers(tmp_path: Path) -> Iterator[Site]:
    with DedicatedServer(PostgreSQL()) as postgres, DedicatedServer(VersityGW()) as s3:
        variables = s3.variables()
        bucket = S3Storage(**parse_storage_url(variables["STORAGE_URL"]))
        bucket.client.create_bucket(Bucket=bucket.bucket)
        yield Site(tmp_path / "postgres", **postgres.variables(), **variables)


@pytest.fixture
def on_mariadb(tmp_path: Path) -> Iterator[Site]:
    if find_spec("MySQLdb") is None:
        skip_or_fail("MariaDB's driver is not installed. Build it: make mariadb")
    with DedicatedServer(MariaDB()) as mariadb:
        yield Site(tmp_path / "mariadb", **mariadb.variables())


@pytest.mark.parametrize("target", ["on_servers", "on_mariadb"])
def test_a_backup_under_writes_is_restored_on_each_database_and_store(
    target: str, first: Site, restored: Site, under_writes: Path, request: pytest.FixtureRequest
) -> None:
    site: Site = request.getfixturevalue(target)
    site.run("restore", str(under_writes))
    reads = restored.reads()
    assert site.reads() == reads
    assert len(reads) > 200
    [token] = first.run(*first.call("print_token()")).splitlines()
    site.run(*site.call(f"use_restored({token!r})"))


@pytest.mark.usefixtures("under_writes")
def test_every_user_reads_the_same_on_each_database_and_store(
    first: Site, on_servers: Site, on_mariadb: Site, folder: Path
) -> None:
    reads = first.reads()
    statuses = Counter(orjson.loads(line)[3] for line in reads)
    assert statuses.keys() == {200, 400, 404}  # 400: staff name no client, 404: another one's
    assert statuses[200] > 200
    assert move(first, on_servers, folder / "under writes") == reads
    assert move(on_servers, on_mariadb, folder / "of postgres") == reads
    assert move(on_mariadb, Site(folder / "last"), folder / "of mariadb") == reads


def move(source: Site, target: Site, through: Path) -> list[str]:
    """Move an installation; return what its users read then."""
    source.run("backup", str(through))
    target.run("restore", str(through))
    return target.reads()
