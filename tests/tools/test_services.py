"""`tools/services` runs real servers as long as a command, and none of them outlives it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from tests.journeys.processes import wait_until
from tests.servers import skip_or_fail
from tools.servers.databases import PostgreSQL, Redis
from tools.servers.dependency import ensure_installed
from tools.servers.machine import dying_with_parent

pytestmark = pytest.mark.journey

TOOL = Path(__file__).resolve().parents[2] / "tools/services"
USES_REDIS = """
import os, redis
client = redis.Redis.from_url(os.environ["TIMBA_TEST_REDIS_URL"])
print(client.info()["redis_version"], client.config_get("appendonly")["appendonly"])
for name in ("TIMBA_TEST_REDIS_URL", "BROKER_URL", "CACHE_URL", "TIMBA_TEST_SERVERS"):
    print(os.environ.get(name))
raise SystemExit(7)
"""
STOPS_IN_ORDER = """
import signal, sys, time
def stop(number, frame):
    print("signalled", flush=True)
    time.sleep(0.2)
    print("stopped in order", flush=True)
    sys.exit(9)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def _servers_are_installed() -> None:
    for reason in ensure_installed([Redis(), PostgreSQL()]).values():
        skip_or_fail(reason)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return the folder for temporary files; pytest's own is closed to the account of Redis."""
    with TemporaryDirectory(prefix="timba-services-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def launch(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(TOOL), "run", *arguments],
        env={**os.environ, "CI": "", "TMPDIR": str(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o022,  # as most shells have it; Timba's own is stricter
        start_new_session=True,  # in the foreground of a terminal, it does not forward Ctrl-C
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Return the exit code, the standard output and the standard error."""
    with launch(folder, *arguments, **variables) as process:
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors


def read_until(process: subprocess.Popen[str], line: str) -> list[str]:
    """Return the lines of output before this one."""
    assert process.stdout
    lines = list(iter(process.stdout.readline, line))
    assert "" not in lines, "it exited before"
    return lines


def processes(folder: Path) -> set[int]:
    """Return the pids of all processes whose working directory is in the folder."""
    pids = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                pids.add(int(entry.name))
        except OSError:
            continue
    return pids


def test_a_command_gets_its_servers(folder: Path) -> None:
    command = ("--", sys.executable, "-c", USES_REDIS)
    code, output, errors = run(folder, "redis", *command, BROKER_URL="x", CACHE_URL="x")
    assert (code, errors) == (7, "")
    started, used, url, *variables = output.splitlines()
    version, appends = used.split()
    assert appends == "no"
    assert re.fullmatch(r"redis://:[0-9a-f]{32}@127\.0\.0\.1:\d+", url)
    assert started == f"Redis {version} is up at {url.partition('@')[2]}."
    assert variables == [f"{url}/0", f"{url}/1", f"Redis {version}"]
    assert list(folder.iterdir()) == []


def test_tests_leave_timba_alone_and_benchmarks_are_durable(folder: Path) -> None:
    command = ("--", sys.executable, "-c", USES_REDIS)
    options = ("--tests", "redis", "--durable")
    code, output, errors = run(folder, *options, *command, BROKER_URL="x", CACHE_URL="y")
    assert (code, errors) == (7, "")
    _, used, _, *variables, version = output.splitlines()
    assert (used, variables) == (f"{version.split()[1]} yes", ["x", "y"])


def test_without_a_command_servers_run_until_ctrl_c(folder: Path) -> None:
    with launch(folder, "redis") as tool:
        _, *exports = read_until(tool, "# Ctrl-C stops the servers.\n")
        words = [shlex.split(line) for line in exports]
        assert {word for word, _ in words} == {"export"}
        variables = dict(assignment.split("=", 1) for _, assignment in words)
        with redis.Redis.from_url(variables["BROKER_URL"]) as client:
            assert {client.info()["process_id"]} == processes(folder)
        port = int(variables["CACHE_URL"].rpartition(":")[2].partition("/")[0])
        with (
            redis.Redis(port=port, retry=None) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        [configuration] = folder.rglob("redis.conf")
        assert configuration.stat().st_mode & 0o077 == 0, "it contains the password"
        tool.send_signal(signal.SIGINT)
        assert tool.wait(60) == 130
    assert processes(folder) == set()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_ends_before_its_servers(
    folder: Path, number: signal.Signals
) -> None:
    with launch(folder, "redis", "--", sys.executable, "-c", STOPS_IN_ORDER) as tool:
        read_until(tool, "begun\n")
        tool.send_signal(number)
        assert tool.communicate(timeout=60) == ("signalled\nstopped in order\n", "")
        assert tool.returncode == 9
    assert processes(folder) == set()
    assert list(folder.iterdir()) == []


def test_ctrl_c_in_a_terminal_reaches_the_command_once(folder: Path) -> None:
    command = shlex.join([str(TOOL), "run", "redis", "--", sys.executable, "-c", STOPS_IN_ORDER])
    with subprocess.Popen(
        # Without `exec`, some shells stay between and end by Ctrl-C themselves.
        ["script", "--quiet", "--return", "--command", f"exec {command}", "/dev/null"],
        env={**os.environ, "TMPDIR": str(folder), "SHELL": "/bin/sh"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as terminal:
        read_until(terminal, "begun\n")
        assert terminal.communicate("\x03", timeout=60)[0] == "^Csignalled\nstopped in order\n"
    assert terminal.returncode == 9


def test_servers_die_with_a_killed_tool(folder: Path) -> None:
    with launch(folder, "redis", "postgres") as tool:
        read_until(tool, "# Ctrl-C stops the servers.\n")
        # Redis, and PostgreSQL with its children.
        assert len(processes(folder)) > 2
    wait_until(lambda: not processes(folder), seconds=60, what="the servers have ended")


def test_no_server_starts_after_the_death_of_its_parent(tmp_path: Path) -> None:
    *prefix, parent = dying_with_parent(signal.SIGKILL)
    subprocess.run([*prefix, parent, "touch", tmp_path / "child"], check=True)
    assert subprocess.run([*prefix, "1", "touch", tmp_path / "orphan"], check=False).returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["child"]


class _RedisHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"+OK\r\n+PONG\r\n")


def test_a_port_that_was_taken_meanwhile_is_replaced(folder: Path) -> None:
    server = Redis()
    server.prepare(folder)
    address = ("127.0.0.1", server.ports[0])
    with socketserver.ThreadingTCPServer(address, _RedisHandler) as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            server.launch()
            server.wait_until_ready()
            assert server.ports[0] != address[1]
            with redis.Redis.from_url(server.timba_variables()["BROKER_URL"]) as client:
                assert client.info()["process_id"] == server.process.pid
        finally:
            server.stop()
            other.shutdown()
            thread.join()


def test_a_missing_server_has_a_reason_and_fails_in_ci(folder: Path) -> None:
    bare = {"PATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    command = ("versitygw", "--", "/bin/sh", "-c", "echo $TIMBA_TEST_VERSITYGW_MISSING")
    reason = (
        "VersityGW is built with Go, and Go 1.21 or later is not on this machine. "
        "Install it (https://go.dev/dl), then run this again.\n"
    )
    assert run(folder, *command, **bare) == (0, reason, reason)
    assert run(folder, *command, **bare, CI="true") == (1, "", reason)


def test_what_cannot_be_run_is_named(folder: Path) -> None:
    code, _, errors = run(folder, "mysql")
    assert code == 2
    assert errors.endswith(
        "“mysql” is none of postgres, mariadb, redis, versitygw, minio, kafka, chromium\n"
    )
    code, _, errors = run(folder, "redis", "--", "./absent")
    assert (code, errors) == (1, "“./absent” cannot be run: No such file or directory.\n")
