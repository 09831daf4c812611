"""The supervisor keeps real processes running, and takes every one of them with it."""

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

from tests.journeys.processes import end_all, wait_until, with_variable

MARK = "TIMBA_TEST_MARK"
SUPERVISE = """
import json, sys
from timba.runtime import supervisor
settings = json.loads(sys.argv[1])
sys.executable = settings["python"]
supervisor._GRACE_SECONDS = settings["grace"]
supervisor._FIRST_DELAY_SECONDS = 0.1
programs = [supervisor.Program(name=n, command=tuple(c)) for n, c in settings["programs"].items()]
with open(settings["output"], "ab") as output:
    supervisor.Supervisor(programs, say=lambda s: print(s, flush=True), output=output).run(
        each_tick=lambda: settings["each_tick"] and print(end=settings["each_tick"], flush=True)
    )
print("all ended", flush=True)
"""
# Each writes its pid into the folder that it is given, so that a test sees it start.
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


class House:
    """A supervisor in a process of its own, and what became of its programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None
        self.python = sys.executable
        self.wrapper: tuple[str, ...] = ()
        self.terminal: int | IO[str] = subprocess.PIPE
        self.each_tick = ""

    def start(self, grace: float = 3.5, **sources: str) -> subprocess.Popen[str]:
        process = self.begin(grace, **sources)
        for name in sources:
            wait_until(lambda name=name: bool(self.pids(name)), seconds=60, what=f"{name} runs")
        return process

    def begin(self, grace: float = 3.5, **sources: str) -> subprocess.Popen[str]:
        programs = {
            name: [sys.executable, "-c", source, str(self.folder), name]
            for name, source in sources.items()
        }
        settings = {
            "programs": programs,
            "grace": grace,
            "output": str(self.folder / "output.log"),
            "python": self.python,
            "each_tick": self.each_tick,
        }
        self.process = subprocess.Popen(
            [*self.wrapper, sys.executable, "-c", SUPERVISE, json.dumps(settings)],
            stdout=self.terminal,
            text=True,
            env={**os.environ, MARK: self.mark},
        )
        return self.process

    def pids(self, name: str) -> set[int]:
        """Return the pids of every start of this program so far."""
        return {int(path.name.split("-")[1]) for path in self.folder.glob(f"{name}-*")}

    def running(self) -> set[int]:
        return set(with_variable(MARK, self.mark))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    end_all(MARK, made.mark)
    if made.process is not None:
        made.process.communicate(timeout=60)


def test_a_program_that_dies_is_started_again_and_told(house: House) -> None:
    supervisor = house.start(web=SLEEP, worker=SLEEP)
    [first] = house.pids("worker")
    web = house.pids("web")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(house.pids("worker")) == 2, seconds=60, what="the worker runs again")
    assert house.pids("web") == web
    supervisor.terminate()
    said, _ = supervisor.communicate(timeout=60)
    assert said.splitlines() == [
        "The worker process ended (SIGKILL). It is started again in 0.1 s.",
        "all ended",
    ]


def test_a_program_that_keeps_dying_is_started_ever_later(house: House) -> None:
    supervisor = house.start(worker=SLEEP.replace("time.sleep(600)", "sys.exit(3)"))
    wait_until(lambda: len(house.pids("worker")) >= 4, seconds=60, what="three restarts")
    supervisor.terminate()
    said, _ = supervisor.communicate(timeout=60)
    assert said.splitlines()[:3] == [
        f"The worker process ended (exit code 3). It is started again in {delay} s."
        for delay in ("0.1", "0.2", "0.4")
    ]


def test_a_program_that_cannot_be_started_is_tried_again(house: House) -> None:
    python = house.folder / "python"
    house.python = str(python)
    supervisor = house.begin(worker=SLEEP)
    assert supervisor.stdout is not None
    told = supervisor.stdout.readline()
    python.symlink_to(sys.executable)
    wait_until(lambda: bool(house.pids("worker")), seconds=60, what="the worker runs")
    supervisor.terminate()
    supervisor.communicate(timeout=60)
    assert told == (
        "The worker process did not start (No such file or directory). "
        "It is started again in 0.1 s.\n"
    )


@pytest.mark.parametrize("each_tick", ["", "."])
def test_what_cannot_be_told_keeps_nothing_from_running(house: House, each_tick: str) -> None:
    house.each_tick = each_tick
    with Path("/dev/full").open("w") as house.terminal:  # as a disk without room
        house.start(worker=SLEEP)
    [first] = house.pids("worker")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(house.pids("worker")) == 2, seconds=60, what="the worker runs again")


def test_a_closed_terminal_does_not_end_what_nohup_started(house: House) -> None:
    house.wrapper = ("nohup",)
    supervisor = house.start(worker=SLEEP)
    supervisor.send_signal(signal.SIGHUP)
    [first] = house.pids("worker")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(house.pids("worker")) == 2, seconds=60, what="the worker runs again")
    supervisor.terminate()
    assert supervisor.wait(timeout=60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_every_process(house: House, number: signal.Signals) -> None:
    supervisor = house.start(web=PARENT, worker=SLEEP)
    wait_until(lambda: bool(house.pids("grandchild")), seconds=60, what="the grandchild runs")
    supervisor.send_signal(number)
    assert supervisor.wait(timeout=60) == 0
    assert house.running() == set()


def test_a_program_that_will_not_end_is_ended(house: House) -> None:
    supervisor = house.start(grace=0.3, web=STUBBORN, worker=SLEEP)
    supervisor.terminate()
    assert supervisor.wait(timeout=60) == 0
    assert house.running() == set()


def test_a_second_signal_ends_them_at_once(house: House) -> None:
    supervisor = house.start(grace=600, web=STUBBORN, worker=SLEEP)
    [worker] = house.pids("worker")
    supervisor.send_signal(signal.SIGINT)
    wait_until(lambda: worker not in house.running(), seconds=60, what="the worker has ended")
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(timeout=60) == 0
    assert house.running() == set()


def test_a_killed_supervisor_leaves_no_orphan(house: House) -> None:
    supervisor = house.start(web=SLEEP, worker=SLEEP)
    supervisor.kill()
    supervisor.wait(timeout=60)
    wait_until(lambda: not house.running(), seconds=60, what="every program has ended")


def test_what_a_dead_program_leaves_behind_is_ended_before_its_restart(house: House) -> None:
    house.start(web=PARENT)
    wait_until(lambda: bool(house.pids("grandchild")), seconds=60, what="the grandchild runs")
    [parent], [orphan] = house.pids("web"), house.pids("grandchild")
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: len(house.pids("web")) == 2, seconds=60, what="the program runs again")
    assert orphan not in house.running()


def test_what_programs_print_goes_to_the_log_and_not_to_the_terminal(house: House) -> None:
    supervisor = house.start(web=SLEEP)
    log = house.folder / "output.log"
    wait_until(lambda: log.read_text() == "started\n", seconds=60, what="a line in the log")
    supervisor.terminate()
    said, _ = supervisor.communicate(timeout=60)
    assert said == "all ended\n"
