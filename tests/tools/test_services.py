"""`tools/services` for real, with its quickest server: it ends what it started, nothing else."""

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
TAKES_A_WHILE_TO_END = """
import signal, sys, time
def end(number, frame):
    time.sleep(0.5)
    print("ended in order", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
time.sleep(600)
"""


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Services:
    """The tool, with a folder for its servers that no other set has."""

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
            # Tests that run in the background of a shell hand down that SIGINT is ignored.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - no thread runs here
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Return how a command went: its code, what it said, what it complained about."""
        with self.launch(*arguments, **variables) as process:
            said, complained = process.communicate(timeout=120)
            return process.returncode, said, complained

    def up(self) -> dict[str, Any]:
        """Bring Redis up; return its standing."""
        code, _, complained = self.run("up", "redis")
        assert (code, complained) == (0, "")
        return self.standing()

    def standing(self) -> dict[str, Any]:
        [standing] = json.loads(self.run("status", "redis", "--json")[1])
        return dict(standing)

    def environment(self, *arguments: str) -> dict[str, str]:
        """Return what `env` lets a shell export."""
        lines = self.run("env", *arguments)[1].splitlines()
        assignments = [shlex.split(line) for line in lines]
        assert all(assignment[0] == "export" for assignment in assignments)
        return dict(assignment[1].split("=", 1) for assignment in assignments)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.environment("redis")["BROKER_URL"])

    def processes(self) -> set[int]:
        """Return every live process that works in this set's folder, recorded or not."""
        found = set()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.folder):
                    found.add(int(entry.name))
            except OSError:
                continue
        return found


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"+OK\r\n+PONG\r\n")


class _Impostor(socketserver.ThreadingTCPServer):
    # Connections that have just ended still hold the port for a while.
    allow_reuse_address = True


@contextmanager
def impostor(port: int) -> Iterator[None]:
    """Hold a port, and answer there as a Redis would that takes any password."""
    with _Impostor(("127.0.0.1", port), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module", autouse=True)
def _redis_can_be_had() -> None:
    with tempfile.TemporaryDirectory(prefix="timba-services-") as folder:
        Path(folder).chmod(0o711)
        services = Services(Path(folder) / "run")
        code, _, complained = services.run("up", "redis")
        services.run("down")
    if code and os.environ.get("CI") != "true":
        pytest.skip(complained)
    assert code == 0, complained


@pytest.fixture
def services() -> Iterator[Services]:
    # Not pytest's own folder: Redis runs as a user who may not pass through that.
    folder = Path(tempfile.mkdtemp(prefix="timba-services-"))
    folder.chmod(0o711)
    services = Services(folder / "run")
    yield services
    for pid in services.processes():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def test_a_server_is_brought_up_named_used_and_taken_down(services: Services) -> None:
    code, said, _ = services.run("up", "redis")
    assert code == 0
    standing = services.standing()
    title = f"Redis {standing['version']}"
    assert said.startswith(f"{title} is up at {standing['address']} (")
    assert standing["address"].startswith("127.0.0.1:")
    assert services.processes() == {standing["pid"]}

    code, said, _ = services.run("status", "redis")
    assert code == 0
    assert said.split() == [*title.split(), standing["address"], "pid", str(standing["pid"])]

    client = services.client()
    assert client.info()["redis_version"] == standing["version"]
    assert client.info()["process_id"] == standing["pid"]

    assert services.run("down") == (0, "Redis is down.\n", "")
    assert services.processes() == set()
    assert not services.folder.exists()
    assert services.run("status", "redis")[:2] == (
        1,
        "Redis is not up. Bring it up: tools/services up redis\n",
    )
    assert services.run("down") == (0, "", "")


def test_the_environment_leads_timba_and_tests_to_what_is_up(services: Services) -> None:
    standing = services.up()
    both = services.environment("redis")
    assert both["CACHE_URL"].startswith("redis://:")
    assert both["BROKER_URL"].endswith(f"@{standing['address']}/0")
    assert both["CACHE_URL"].endswith(f"@{standing['address']}/1")
    assert both["BROKER_URL"] == f"{both['TIMBA_TEST_REDIS_URL']}/0"
    assert both["TIMBA_TEST_SERVERS"] == f"Redis {standing['version']}"

    for_tests = services.environment("--tests")
    assert all(name.startswith("TIMBA_TEST_") for name in for_tests)
    assert for_tests["TIMBA_TEST_REDIS_URL"] == both["TIMBA_TEST_REDIS_URL"]
    assert for_tests["TIMBA_TEST_KAFKA_MISSING"] == (
        "Apache Kafka is not up. Bring it up: tools/services up kafka"
    )

    code, _, complained = services.run("env", "redis", "kafka")
    assert (code, complained) == (
        1,
        "Apache Kafka is not up. Bring it up: tools/services up kafka\n",
    )


def test_nobody_comes_in_without_the_password(services: Services) -> None:
    port = int(services.up()["address"].rpartition(":")[2])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port, retry=None).ping()
    secrets = [path for path in services.folder.rglob("*") if path.is_file()]
    password = services.environment("redis")["BROKER_URL"].split("@")[0].rpartition(":")[2]
    holders = [path for path in secrets if password in path.read_text(errors="replace")]
    assert holders
    assert [path for path in holders if path.stat().st_mode & 0o077] == []


def test_a_server_that_is_up_is_left_alone(services: Services) -> None:
    first = services.up()
    assert services.up() == first
    code, _, complained = services.run("up", "redis", "--durable")
    assert (code, complained) == (
        1,
        "Redis is up without --durable. Take it down first: tools/services down redis\n",
    )
    assert services.standing() == first


def test_two_that_bring_up_the_same_server_get_one(services: Services) -> None:
    with services.launch("up", "redis") as one, services.launch("up", "redis") as other:
        assert (one.wait(timeout=60), other.wait(timeout=60)) == (0, 0)
    assert services.processes() == {services.standing()["pid"]}


def test_a_durable_server_keeps_what_it_was_told(services: Services) -> None:
    assert services.run("up", "redis", "--durable")[0] == 0
    services.client().set("bell", "rung")
    # Redis syncs once a second, and a killed process keeps what it has written.
    os.kill(services.standing()["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    assert services.run("up", "redis", "--durable")[0] == 0
    assert services.client().get("bell") == b"rung"


def test_a_killed_server_comes_back_where_it_was(services: Services) -> None:
    before = services.up()
    url = services.environment("redis")["BROKER_URL"]
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    code, said, _ = services.run("status", "redis")
    assert (code, said) == (
        1,
        "Redis has ended by itself. Bring it up: tools/services up redis\n",
    )
    after = services.up()
    assert after["pid"] != before["pid"]
    assert services.environment("redis")["BROKER_URL"] == url
    assert services.client().ping()


def test_a_port_that_was_taken_meanwhile_is_given_up(services: Services) -> None:
    before = services.up()
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: not services.processes(), seconds=60, what="Redis is gone")
    with impostor(int(before["address"].rpartition(":")[2])):
        after = services.up()
        assert after["address"] != before["address"]
        assert services.client().info()["process_id"] == after["pid"]


@pytest.mark.parametrize("milliseconds", range(20, 240, 20))
def test_what_a_killed_tool_had_started_is_ended(services: Services, milliseconds: int) -> None:
    with services.launch("up", "redis"):
        time.sleep(milliseconds / 1000)
    code, _, complained = services.run("down")
    assert (code, complained) == (0, "")
    assert services.processes() == set()
    assert not services.folder.exists()


def test_a_tool_killed_between_start_and_answer_leaves_nothing(services: Services) -> None:
    with services.launch("up", "redis"):
        wait_until(lambda: bool(services.processes()), seconds=60, what="Redis has started")
    assert services.run("down") == (0, "Redis is down.\n", "")
    assert services.processes() == set()


def test_a_stopped_server_is_ended_too(services: Services) -> None:
    os.kill(services.up()["pid"], signal.SIGSTOP)
    with (services.folder / "redis.log").open() as log:
        assert services.run("down") == (0, "Redis is down.\n", "")
        assert "bye bye" in log.read(), "it was woken to end by itself"
    assert services.processes() == set()


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_reused_pid_is_left_alone(services: Services, innocent: subprocess.Popen[bytes]) -> None:
    pid = services.up()["pid"]
    # As if the server had ended, and somebody else had been given its number.
    record = services.folder / "redis.process"
    boot, _, stat = record.read_text().partition(" ")
    record.write_text(f"{boot} {stat.replace(str(pid), str(innocent.pid))}")
    assert services.run("down", "redis")[0] == 0
    time.sleep(0.2)
    assert innocent.poll() is None


def test_a_command_runs_among_the_servers_that_it_needs(services: Services) -> None:
    ask = "import os, redis; print(redis.Redis.from_url(os.environ['BROKER_URL']).ping())"
    code, said, _ = services.run("run", "redis", "--", sys.executable, "-c", ask)
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("Redis ")
    assert lines[1:] == ["True", "Redis is down."]
    assert not services.folder.exists()

    code, said, _ = services.run("run", "redis", "--tests", "--", "sh", "-c", f"{SAY}; exit 7")
    assert code == 7
    assert said.splitlines()[1:] == ["only tests", "Redis is down."]


def test_what_was_up_before_a_command_stays_up(services: Services) -> None:
    before = services.up()
    assert services.run("run", "redis", "--", "true")[0] == 0
    assert services.standing() == before


def test_in_ci_nothing_runs_without_its_servers(services: Services, tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = ("run", "versitygw", "--", "/bin/sh", "-c", "echo $TIMBA_TEST_VERSITYGW_MISSING")
    code, said, complained = services.run(*command, CI="", **bare)
    assert (code, said) == (0, complained)
    assert said.startswith("VersityGW is built with Go, ")
    code, said, again = services.run(*command, CI="true", **bare)
    assert (code, said, again) == (1, "", complained)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_nothing(services: Services, number: signal.Signals) -> None:
    with services.launch("run", "redis", "--", sys.executable, "-c", TAKES_A_WHILE_TO_END) as tool:
        assert tool.stdout
        while (line := tool.stdout.readline()) != "begun\n":
            assert line, "it ended before it began"
        if number == signal.SIGINT:  # as Ctrl-C does it: to all that belong to the terminal
            [command] = children(tool.pid) - services.processes()
            os.kill(command, number)
        tool.send_signal(number)
        said, complained = tool.communicate(timeout=60)
    assert (tool.returncode, said, complained) == (
        128 + number,
        "ended in order\nRedis is down.\n",
        "",
    )
    assert services.processes() == set()
    assert not services.folder.exists()


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_what_cannot_be_had_says_why(services: Services, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    variables = {"PATH": str(bare), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code, _, complained = services.run("up", "versitygw", **variables)
    reason = (
        "VersityGW is built with Go, and Go 1.21 or later is not on this machine. "
        "Install it (https://go.dev/dl), then bring it up again."
    )
    assert (code, complained) == (1, f"{reason}\n")
    assert services.environment("--tests")["TIMBA_TEST_VERSITYGW_MISSING"] == reason
    assert services.run("status", "versitygw")[1] == f"{reason}\n"


def test_a_name_that_is_none_is_refused(services: Services) -> None:
    code, _, complained = services.run("up", "mysql")
    assert code == 2
    assert complained.endswith(
        "“mysql” is none of postgres, mariadb, redis, versitygw, minio, kafka, chromium\n"
    )
    assert not services.folder.exists()
