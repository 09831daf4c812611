"""`tools/services` with real Redis servers: it stops what it started, and nothing else."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.journeys.processes import wait_until

pytestmark = pytest.mark.journey

TOOL = Path(__file__).resolve().parents[2] / "tools/services"
SAY = 'test "$TIMBA_TEST_REDIS_URL" && test -z "$BROKER_URL" && echo only tests'
STOPS_SLOWLY = """
import signal, sys, time
def end(number, frame):
    time.sleep(0.5)
    print("stopped in order", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
time.sleep(600)
"""


def _restore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Services:
    """Runs the tool with its own folder for servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def launch(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, str(TOOL), *arguments],
            env={**os.environ, "TIMBA_SERVICES_DIR": str(self.folder), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job ignores SIGINT, and its children inherit that.
            preexec_fn=_restore_sigint,  # noqa: PLW1509 - no thread runs here
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Return the exit code, the standard output and the standard error of a command."""
        with self.launch(*arguments, **variables) as process:
            output, errors = process.communicate(timeout=120)
            return process.returncode, output, errors

    def up(self) -> dict[str, Any]:
        """Start Redis; return its status."""
        code, _, errors = self.run("up", "redis")
        assert (code, errors) == (0, "")
        return self.status()

    def status(self) -> dict[str, Any]:
        [status] = json.loads(self.run("status", "redis", "--json")[1])
        return dict(status)

    def environment(self, *arguments: str) -> dict[str, str]:
        """Return the variables that `env` exports."""
        lines = self.run("env", *arguments)[1].splitlines()
        assignments = [shlex.split(line) for line in lines]
        assert all(assignment[0] == "export" for assignment in assignments)
        return dict(assignment[1].split("=", 1) for assignment in assignments)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.environment("redis")["BROKER_URL"])

    def processes(self) -> set[int]:
        """Return the pids of all processes whose working directory is in the folder."""
        pids = set()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.folder):
                    pids.add(int(entry.name))
            except OSError:
                continue
        return pids


class _RedisHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"+OK\r\n+PONG\r\n")


class _FakeRedis(socketserver.ThreadingTCPServer):
    # The port may still have connections in TIME_WAIT.
    allow_reuse_address = True


@contextmanager
def fake_redis(port: int) -> Iterator[None]:
    """Listen on a port like a Redis that accepts any password."""
    with _FakeRedis(("127.0.0.1", port), _RedisHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module", autouse=True)
def _redis_is_available() -> None:
    with tempfile.TemporaryDirectory(prefix="timba-services-") as folder:
        Path(folder).chmod(0o711)
        services = Services(Path(folder) / "run")
        code, _, errors = services.run("up", "redis")
        services.run("down")
    if code and os.environ.get("CI") != "true":
        pytest.skip(errors)
    assert code == 0, errors


@pytest.fixture
def services() -> Iterator[Services]:
    # Not pytest's temporary folder, which the account of Redis cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="timba-services-"))
    folder.chmod(0o711)
    services = Services(folder / "run")
    yield services
    for pid in services.processes():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def test_a_server_is_started_listed_used_and_stopped(services: Services) -> None:
    code, output, _ = services.run("up", "redis")
    assert code == 0
    status = services.status()
    title = f"Redis {status['version']}"
    assert output.startswith(f"{title} is up at {status['address']} (")
    assert status["address"].startswith("127.0.0.1:")
    assert services.processes() == {status["pid"]}

    code, output, _ = services.run("status", "redis")
    assert code == 0
    assert output.split() == [*title.split(), status["address"], "pid", str(status["pid"])]

    client = services.client()
    assert client.info()["redis_version"] == status["version"]
    assert client.info()["process_id"] == status["pid"]

    assert services.run("down") == (0, "Redis is down.\n", "")
    assert services.processes() == set()
    assert not services.folder.exists()
    assert services.run("status", "redis")[:2] == (
        1,
        "Redis is not up. Bring it up: tools/services up redis\n",
    )
    assert services.run("down") == (0, "", "")


def test_env_prints_the_variables_of_running_servers(services: Services) -> None:
    status = services.up()
    both = services.environment("redis")
    assert both["CACHE_URL"].startswith("redis://:")
    assert both["BROKER_URL"].endswith(f"@{status['address']}/0")
    assert both["CACHE_URL"].endswith(f"@{status['address']}/1")
    assert both["BROKER_URL"] == f"{both['TIMBA_TEST_REDIS_URL']}/0"
    assert both["TIMBA_TEST_SERVERS"] == f"Redis {status['version']}"

    for_tests = services.environment("--tests")
    assert all(name.startswith("TIMBA_TEST_") for name in for_tests)
    assert for_tests["TIMBA_TEST_REDIS_URL"] == both["TIMBA_TEST_REDIS_URL"]
    assert for_tests["TIMBA_TEST_KAFKA_MISSING"] == (
        "Apache Kafka is not up. Bring it up: tools/services up kafka"
    )

    code, _, errors = services.run("env", "redis", "kafka")
    assert (code, errors) == (
        1,
        "Apache Kafka is not up. Bring it up: tools/services up kafka\n",
    )


def test_a_password_is_required(services: Services) -> None:
    port = int(services.up()["address"].rpartition(":")[2])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port, retry=None).ping()
    secrets = [path for path in services.folder.rglob("*") if path.is_file()]
    password = services.environment("redis")["BROKER_URL"].split("@")[0].rpartition(":")[2]
    holders = [path for path in secrets if password in path.read_text(errors="replace")]
    assert holders
    assert [path for path in holders if path.stat().st_mode & 0o077] == []


def test_a_running_server_is_not_restarted(services: Services) -> None:
    first = services.up()
    assert services.up() == first
    code, _, errors = services.run("up", "redis", "--durable")
    assert (code, errors) == (
        1,
        "Redis is up without --durable. Take it down first: tools/services down redis\n",
    )
    assert services.status() == first


def test_concurrent_starts_result_in_one_server(services: Services) -> None:
    with services.launch("up", "redis") as one, services.launch("up", "redis") as other:
        assert (one.wait(timeout=60), other.wait(timeout=60)) == (0, 0)
    assert services.processes() == {services.status()["pid"]}


def test_a_durable_server_keeps_its_data(services: Services) -> None:
    assert services.run("up", "redis", "--durable")[0] == 0
    services.client().set("key", "value")
    # Redis syncs once a second, and a killed process keeps what it has written.
    os.kill(services.status()["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    assert services.run("up", "redis", "--durable")[0] == 0
    assert services.client().get("key") == b"value"


def test_a_killed_server_is_restarted_on_its_port(services: Services) -> None:
    before = services.up()
    url = services.environment("redis")["BROKER_URL"]
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    code, output, _ = services.run("status", "redis")
    assert (code, output) == (
        1,
        "Redis has ended by itself. Bring it up: tools/services up redis\n",
    )
    after = services.up()
    assert after["pid"] != before["pid"]
    assert services.environment("redis")["BROKER_URL"] == url
    assert services.client().ping()


def test_a_port_that_was_taken_meanwhile_is_replaced(services: Services) -> None:
    before = services.up()
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    with fake_redis(int(before["address"].rpartition(":")[2])):
        after = services.up()
        assert after["address"] != before["address"]
        assert services.client().info()["process_id"] == after["pid"]


@pytest.mark.parametrize("milliseconds", range(20, 240, 20))
def test_down_stops_servers_of_a_killed_tool(services: Services, milliseconds: int) -> None:
    with services.launch("up", "redis"):
        time.sleep(milliseconds / 1000)
    code, _, errors = services.run("down")
    assert (code, errors) == (0, "")
    assert services.processes() == set()
    assert not services.folder.exists()


def test_down_stops_a_server_whose_start_was_killed(services: Services) -> None:
    with services.launch("up", "redis"):
        wait_until(lambda: bool(services.processes()), seconds=60, what="Redis has started")
    assert services.run("down") == (0, "Redis is down.\n", "")
    assert services.processes() == set()


def test_a_suspended_server_is_stopped(services: Services) -> None:
    os.kill(services.up()["pid"], signal.SIGSTOP)
    with (services.folder / "redis.log").open() as log:
        assert services.run("down") == (0, "Redis is down.\n", "")
        assert "bye bye" in log.read(), "it was resumed to exit by itself"
    assert services.processes() == set()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_reused_pid_is_left_alone(services: Services, bystander: subprocess.Popen[bytes]) -> None:
    pid = services.up()["pid"]
    # As if the server had exited, and another process had got its pid.
    record = services.folder / "redis.process"
    boot, _, stat = record.read_text().partition(" ")
    record.write_text(f"{boot} {stat.replace(str(pid), str(bystander.pid))}")
    assert services.run("down", "redis")[0] == 0
    time.sleep(0.2)
    assert bystander.poll() is None


def test_run_starts_the_servers_of_a_command(services: Services) -> None:
    ask = "import os, redis; print(redis.Redis.from_url(os.environ['BROKER_URL']).ping())"
    code, output, _ = services.run("run", "redis", "--", sys.executable, "-c", ask)
    assert code == 0
    lines = output.splitlines()
    assert lines[0].startswith("Redis ")
    assert lines[1:] == ["True", "Redis is down."]
    assert not services.folder.exists()

    code, output, _ = services.run("run", "redis", "--tests", "--", "sh", "-c", f"{SAY}; exit 7")
    assert code == 7
    assert output.splitlines()[1:] == ["only tests", "Redis is down."]


def test_run_leaves_running_servers_up(services: Services) -> None:
    before = services.up()
    assert services.run("run", "redis", "--", "true")[0] == 0
    assert services.status() == before


def test_run_fails_in_ci_if_a_server_is_missing(services: Services, tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = ("run", "versitygw", "--", "/bin/sh", "-c", "echo $TIMBA_TEST_VERSITYGW_MISSING")
    code, output, errors = services.run(*command, CI="", **bare)
    assert (code, output) == (0, errors)
    assert output.startswith("VersityGW is built with Go, ")
    code, output, again = services.run(*command, CI="true", **bare)
    assert (code, output, again) == (1, "", errors)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_its_servers(services: Services, number: signal.Signals) -> None:
    with services.launch("run", "redis", "--", sys.executable, "-c", STOPS_SLOWLY) as tool:
        assert tool.stdout
        while (line := tool.stdout.readline()) != "begun\n":
            assert line, "it exited before it started"
        if number == signal.SIGINT:  # as Ctrl-C does: to all processes of the terminal
            [command] = children(tool.pid) - services.processes()
            os.kill(command, number)
        tool.send_signal(number)
        output, errors = tool.communicate(timeout=60)
    assert (tool.returncode, output, errors) == (
        128 + number,
        "stopped in order\nRedis is down.\n",
        "",
    )
    assert services.processes() == set()
    assert not services.folder.exists()


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_an_unavailable_server_has_a_reason(services: Services, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    variables = {"PATH": str(bare), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code, _, errors = services.run("up", "versitygw", **variables)
    reason = (
        "VersityGW is built with Go, and Go 1.21 or later is not on this machine. "
        "Install it (https://go.dev/dl), then bring it up again."
    )
    assert (code, errors) == (1, f"{reason}\n")
    assert services.environment("--tests")["TIMBA_TEST_VERSITYGW_MISSING"] == reason
    assert services.run("status", "versitygw")[1] == f"{reason}\n"


def test_an_unknown_name_is_refused(services: Services) -> None:
    code, _, errors = services.run("up", "mysql")
    assert code == 2
    assert errors.endswith(
        "“mysql” is none of postgres, mariadb, redis, versitygw, minio, kafka, chromium\n"
    )
    assert not services.folder.exists()
