"""Keeps a few processes running under one foreground command, and stops them with it.

A process that exits is restarted after a delay, which doubles each time until the process has run
for half a minute. SIGINT, SIGTERM or SIGHUP stops every process, with SIGTERM first; a second
signal kills at once. After SIGTERM, which service managers send, the web server may serve on for
some seconds (it *drains*), so that load balancers can turn to another machine; a second signal
ends that. A message that cannot be written, because the disk is full, stops nothing.
`timba.runtime.parent_death` handles the death of the supervisor itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, Final

from timba.draining import DrainSignal
from timba.runtime import parent_death

_TICK_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 3.5
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 30.0

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessSpec:
    """A process to run: its name in messages, and its command with an absolute path.

    One that `drains` serves on for a while when the others are stopped.
    """

    name: str
    command: tuple[str, ...]
    drains: bool = False


class Supervisor:
    """Runs processes until it gets a signal."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        report: Report,
        output: IO[bytes] | None = None,
        drain_seconds: float = 0,
    ) -> None:
        """`report` is called with messages; `output` gets the output of all processes.

        By default they inherit the standard output and error of this process.
        """
        self._drain_signal = DrainSignal()
        environment = {**os.environ, **self._drain_signal.environment}
        self._children = [_Child(spec, environment, output) for spec in specs]
        self._report_message = report
        self._drain_seconds = drain_seconds
        self._signals = 0
        self._last_signal = 0

    def run(self, *, each_tick: Callable[[], None] = lambda: None) -> None:
        """Return after a signal, when every process has exited."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(signal.SIGHUP, self._handle_signal)
        with ExitStack() as until_all_have_ended:
            self._run(each_tick, until_all_have_ended)

    def _run(self, each_tick: Callable[[], None], until_all_have_ended: ExitStack) -> None:
        try:
            while not self._signals:
                for child in self._children:
                    child.keep_running(self._report)
                with suppress(OSError):
                    each_tick()
                time.sleep(_TICK_SECONDS)
            if self._last_signal == signal.SIGTERM:
                # Also while they stop: a load balancer would turn back to one that is ready.
                until_all_have_ended.enter_context(self._drain_signal.sent())
                self._drain()
        finally:
            self._stop()

    def _report(self, message: str) -> None:
        with suppress(OSError):
            self._report_message(message)

    def _handle_signal(self, number: int, _: object) -> None:
        self._signals += 1
        self._last_signal = number

    def _drain(self) -> None:
        """Stop the other processes, while those that drain serve on, until the next signal."""
        draining = [child for child in self._children if child.drains and child.is_running]
        if not (draining and self._drain_seconds):
            return
        self._report(f"Timba is shutting down. It serves on for {self._drain_seconds:g} s.")
        deadline = time.monotonic() + self._drain_seconds
        for child in self._children:
            if not child.drains:
                child.terminate()
        while any(child.is_running for child in draining):
            if time.monotonic() > deadline or self._signals > 1:
                break
            time.sleep(_TICK_SECONDS / 2)

    def _stop(self) -> None:
        signals = self._signals
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(child.is_running for child in self._children):
            if time.monotonic() > deadline or self._signals > signals:
                break
            time.sleep(_TICK_SECONDS / 2)
        for child in self._children:
            child.kill_group()


class _Child:
    """One process, which leads a process group of its own."""

    def __init__(
        self, spec: ProcessSpec, environment: Mapping[str, str], output: IO[bytes] | None
    ) -> None:
        self._spec = spec
        self._environment = environment
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = time.monotonic()
        self._delay = _FIRST_DELAY_SECONDS

    @property
    def drains(self) -> bool:
        return self._spec.drains

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self, report: Report) -> None:
        """Start the process when its delay is over; clean up after one that has exited."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                try:
                    self._start()
                except OSError as failure:
                    self._schedule_restart(report, f"did not start ({failure.strerror})")
        elif not self.is_running:
            if time.monotonic() - self._start_at > _STABLE_SECONDS:
                self._delay = _FIRST_DELAY_SECONDS
            cause = _describe_exit(self._process)
            self.kill_group()
            self._schedule_restart(report, f"ended ({cause})")

    def _schedule_restart(self, report: Report, event: str) -> None:
        report(f"The {self._spec.name} process {event}. It is started again in {self._delay:g} s.")
        self._start_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, _LONGEST_DELAY_SECONDS)

    def _start(self) -> None:
        wrapper = (sys.executable, "-I", parent_death.__file__, str(os.getpid()))
        self._process = subprocess.Popen(  # noqa: S603 - commands are fixed, and no shell runs them
            (*wrapper, *self._spec.command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=self._environment,
            # Ctrl-C in the terminal reaches only the supervisor, which then stops the rest.
            start_new_session=True,
        )
        self._start_at = time.monotonic()

    def terminate(self) -> None:
        """Send SIGTERM to the process, which stops its own children."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def kill_group(self) -> None:
        """Kill what is left of the process group, and reap the process."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


def _describe_exit(process: subprocess.Popen[bytes]) -> str:
    if process.returncode < 0:
        return signal.Signals(-process.returncode).name
    return f"exit code {process.returncode}"
