"""Keeps a handful of programs running under one foreground command, and ends them all with it.

A program that dies is started again, the sooner the longer it had lived. SIGINT, SIGTERM or
SIGHUP ends every program, politely first; a second one at once. What cannot be told, because the
disk is full, ends nothing. `timba.runtime.parent_death` sees to the supervisor that dies itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from timba.runtime import parent_death

_TICK_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 3.5
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0
_SETTLED_SECONDS: Final = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessSpec:
    """What is kept running: its name in messages, and its command with an absolute path."""

    name: str
    command: tuple[str, ...]


class Supervisor:
    """Runs programs until it is told to stop."""

    def __init__(
        self, programs: Sequence[ProcessSpec], *, say: Say, output: IO[bytes] | None = None
    ) -> None:
        """Take `programs`; `output` gets what they print, else they share this process's."""
        self._children = [_Child(program, output) for program in programs]
        self._say = say
        self._signals = 0

    def run(self, *, each_tick: Callable[[], None] = lambda: None) -> None:
        """Return after a signal, when no program is left."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._told_to_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as it is under nohup
            signal.signal(signal.SIGHUP, self._told_to_stop)
        try:
            while not self._signals:
                for child in self._children:
                    child.keep_running(self._tell)
                with suppress(OSError):
                    each_tick()
                time.sleep(_TICK_SECONDS)
        finally:
            self._stop()

    def _tell(self, sentence: str) -> None:
        with suppress(OSError):
            self._say(sentence)

    def _told_to_stop(self, *_: object) -> None:
        self._signals += 1

    def _stop(self) -> None:
        told = self._signals
        for child in self._children:
            child.ask_to_end()
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(child.is_running for child in self._children):
            if time.monotonic() > deadline or self._signals > told:
                break
            time.sleep(_TICK_SECONDS / 2)
        for child in self._children:
            child.kill_group()


class _Child:
    """One program and its process, which leads a group of its own."""

    def __init__(self, program: ProcessSpec, output: IO[bytes] | None) -> None:
        self._program = program
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = time.monotonic()
        self._delay = _FIRST_DELAY_SECONDS

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self, say: Say) -> None:
        """Start the program once its time has come; bury a process that died."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                try:
                    self._start()
                except OSError as failure:
                    self._put_off(say, f"did not start ({failure.strerror})")
        elif not self.is_running:
            if time.monotonic() - self._start_at > _SETTLED_SECONDS:
                self._delay = _FIRST_DELAY_SECONDS
            cause = _cause(self._process)
            self.kill_group()
            self._put_off(say, f"ended ({cause})")

    def _put_off(self, say: Say, what: str) -> None:
        say(f"The {self._program.name} process {what}. It is started again in {self._delay:g} s.")
        self._start_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, _LONGEST_DELAY_SECONDS)

    def _start(self) -> None:
        leash = (sys.executable, "-I", parent_death.__file__, str(os.getpid()))
        self._process = subprocess.Popen(  # noqa: S603 - programs are fixed, no shell reads them
            (*leash, *self._program.command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            # Ctrl-C in the terminal is for the supervisor alone, which then ends the rest.
            start_new_session=True,
        )
        self._start_at = time.monotonic()

    def ask_to_end(self) -> None:
        """Send SIGTERM to the program, which knows how to end its own children."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def kill_group(self) -> None:
        """End what is left of the program, its own children too, and forget it."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


def _cause(process: subprocess.Popen[bytes]) -> str:
    if process.returncode < 0:
        return signal.Signals(-process.returncode).name
    return f"exit code {process.returncode}"
