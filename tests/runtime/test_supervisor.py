"""The supervisor keeps real processes running, and stops all of them when it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.journeys.processes import find_processes, kill_all, wait_until

MARK = "TIMBA_TEST_MARK"
SUPERVISE = """
import json, sys
from timba.runtime import supervisor
settings = json.loads(sys.argv[1])
sys.executable = settings["python"]
supervisor._GRACE_SECONDS = settings["grace"]
supervisor._FIRST_DELAY_SECONDS = 0.1
specs = [
    supervisor.ProcessSpec(name=n, command=tuple(c), drains=n == "web")
    for n, c in settings["processes"].items()
]
with open(settings["output"], "ab") as output:
    supervisor.Supervisor(
        specs,
        report=lambda s: print(s, flush=True),
        output=output,
        drain_seconds=settings["drain"],
    ).run(
        each_tick=lambda: settings["each_tick"] and print(end=settings["each_tick"], flush=True)
    )
print("all ended", flush=True)
"""
# Each creates a file with its pid in its name, so that a test sees it start.
SLEEP = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], f"{sys.argv[2]}-{os.getpid()}").touch()
print("started", flush=True)
time.sleep(600)
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEP}"
PARENT = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {SLEEP!r}, sys.argv[1], "grandchild"])
{SLEEP}
"""


# It records whether it was told, when it has to end, that the supervisor is shutting down.
ENDS_IN_ORDER = f"""
import pathlib, signal, sys
from timba.draining import is_draining
def end(*_):
    pathlib.Path(sys.argv[1], "draining").write_text(str(is_draining()))
    sys.exit()
signal.signal(signal.SIGTERM, end)
{SLEEP}
"""


class SupervisorRun:
    """A supervisor in a separate process, and the processes that it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None
        self.python = sys.executable
        self.wrapper: tuple[str, ...] = ()
        self.terminal: int | IO[str] = subprocess.PIPE
        self.each_tick = ""
        self.drain = 0.0  # seconds

    def start(self, grace: float = 3.5, **sources: str) -> subprocess.Popen[str]:
        process = self.begin(grace, **sources)
        for name in sources:
            wait_until(lambda name=name: bool(self.pids(name)), seconds=60, what=f"{name} runs")
        return process

    def begin(self, grace: float = 3.5, **sources: str) -> subprocess.Popen[str]:
        processes = {
            name: [sys.executable, "-c", source, str(self.folder), name]
            for name, source in sources.items()
        }
        settings = {
            "processes": processes,
            "grace": grace,
            "output": str(self.folder / "output.log"),
            "python": self.python,
            "each_tick": self.each_tick,
            "drain": self.drain,
        }
        self.process = subprocess.Popen(
            [*self.wrapper, sys.executable, "-c", SUPERVISE, json.dumps(settings)],
            stdout=self.terminal,
            text=True,
            env={**os.environ, MARK: self.mark},
        )
        return self.process

    def pids(self, name: str) -> set[int]:
        """Return the pids of all starts of this process so far."""
        return {int(path.name.split("-")[1]) for path in self.folder.glob(f"{name}-*")}

    def running(self) -> set[int]:
        return set(find_processes(MARK, self.mark))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SupervisorRun]:
    supervised = SupervisorRun(tmp_path)
    yield supervised
    kill_all(MARK, supervised.mark)
    if supervised.process is not None:
        supervised.process.communicate(timeout=60)


def test_a_process_that_dies_is_restarted_and_reported(run: SupervisorRun) -> None:
    supervisor = run.start(web=SLEEP, worker=SLEEP)
    [first] = run.pids("worker")
    web = run.pids("web")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(run.pids("worker")) == 2, seconds=60, what="the worker runs again")
    assert run.pids("web") == web
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=60)
    assert output.splitlines() == [
        "The worker process ended (SIGKILL). It is started again in 0.1 s.",
        "all ended",
    ]


def test_the_delay_doubles_for_a_process_that_keeps_exiting(run: SupervisorRun) -> None:
    supervisor = run.start(worker=SLEEP.replace("time.sleep(600)", "sys.exit(3)"))
    wait_until(lambda: len(run.pids("worker")) >= 4, seconds=60, what="three restarts")
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=60)
    assert output.splitlines()[:3] == [
        f"The worker process ended (exit code 3). It is started again in {delay} s."
        for delay in ("0.1", "0.2", "0.4")
    ]


def test_a_process_that_cannot_be_started_is_retried(run: SupervisorRun) -> None:
    python = run.folder / "python"
    run.python = str(python)
    supervisor = run.begin(worker=SLEEP)
    assert supervisor.stdout is not None
    message = supervisor.stdout.readline()
    python.symlink_to(sys.executable)
    wait_until(lambda: bool(run.pids("worker")), seconds=60, what="the worker runs")
    supervisor.terminate()
    supervisor.communicate(timeout=60)
    assert message == (
        "The worker process did not start (No such file or directory). "
        "It is started again in 0.1 s.\n"
    )


@pytest.mark.parametrize("each_tick", ["", "."])
def test_a_full_disk_stops_no_process(run: SupervisorRun, each_tick: str) -> None:
    run.each_tick = each_tick
    with Path("/dev/full").open("w") as run.terminal:  # like a full disk
        run.start(worker=SLEEP)
    [first] = run.pids("worker")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(run.pids("worker")) == 2, seconds=60, what="the worker runs again")


def test_a_closed_terminal_does_not_stop_what_nohup_started(run: SupervisorRun) -> None:
    run.wrapper = ("nohup",)
    supervisor = run.start(worker=SLEEP)
    supervisor.send_signal(signal.SIGHUP)
    [first] = run.pids("worker")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(run.pids("worker")) == 2, seconds=60, what="the worker runs again")
    supervisor.terminate()
    assert supervisor.wait(timeout=60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_every_process(run: SupervisorRun, number: signal.Signals) -> None:
    supervisor = run.start(web=PARENT, worker=SLEEP)
    wait_until(lambda: bool(run.pids("grandchild")), seconds=60, what="the grandchild runs")
    supervisor.send_signal(number)
    assert supervisor.wait(timeout=60) == 0
    assert run.running() == set()


def test_a_process_that_ignores_sigterm_is_killed(run: SupervisorRun) -> None:
    supervisor = run.start(grace=0.3, web=STUBBORN, worker=SLEEP)
    supervisor.terminate()
    assert supervisor.wait(timeout=60) == 0
    assert run.running() == set()


def test_a_second_signal_kills_at_once(run: SupervisorRun) -> None:
    supervisor = run.start(grace=600, web=STUBBORN, worker=SLEEP)
    [worker] = run.pids("worker")
    supervisor.send_signal(signal.SIGINT)
    wait_until(lambda: worker not in run.running(), seconds=60, what="the worker has ended")
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(timeout=60) == 0
    assert run.running() == set()


def test_after_sigterm_the_web_process_serves_on(run: SupervisorRun) -> None:
    run.drain = 1
    supervisor = run.start(web=SLEEP, worker=SLEEP)
    [web], [worker] = run.pids("web"), run.pids("worker")
    supervisor.terminate()
    wait_until(lambda: worker not in run.running(), seconds=60, what="the worker has ended")
    assert web in run.running()
    output, _ = supervisor.communicate(timeout=60)
    assert output.splitlines() == ["Timba is shutting down. It serves on for 1 s.", "all ended"]
    assert run.running() == set()


def test_a_process_that_stops_after_the_drain_is_still_not_ready(run: SupervisorRun) -> None:
    run.drain = 0.1
    supervisor = run.start(web=ENDS_IN_ORDER)
    supervisor.terminate()
    assert supervisor.wait(60) == 0
    assert (run.folder / "draining").read_text() == "True"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_drain(run: SupervisorRun, number: signal.Signals) -> None:
    run.drain = 600
    supervisor = run.start(web=SLEEP, worker=SLEEP)
    [worker] = run.pids("worker")
    supervisor.terminate()
    wait_until(lambda: worker not in run.running(), seconds=60, what="the worker has ended")
    supervisor.send_signal(number)
    assert supervisor.wait(timeout=60) == 0


def test_ctrl_c_does_not_drain(run: SupervisorRun) -> None:
    run.drain = 600
    supervisor = run.start(web=SLEEP, worker=SLEEP)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(timeout=60) == 0


def test_a_killed_supervisor_leaves_no_orphan(run: SupervisorRun) -> None:
    supervisor = run.start(web=SLEEP, worker=SLEEP)
    supervisor.kill()
    supervisor.wait(timeout=60)
    wait_until(lambda: not run.running(), seconds=60, what="every process has ended")


def test_children_of_a_dead_process_are_killed_before_its_restart(run: SupervisorRun) -> None:
    run.start(web=PARENT)
    wait_until(lambda: bool(run.pids("grandchild")), seconds=60, what="the grandchild runs")
    [parent], [orphan] = run.pids("web"), run.pids("grandchild")
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: len(run.pids("web")) == 2, seconds=60, what="the process runs again")
    assert orphan not in run.running()


def test_output_goes_to_the_log_and_not_to_the_terminal(run: SupervisorRun) -> None:
    supervisor = run.start(web=SLEEP)
    log = run.folder / "output.log"
    wait_until(lambda: log.read_text() == "started\n", seconds=60, what="a line in the log")
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=60)
    assert output == "all ended\n"
