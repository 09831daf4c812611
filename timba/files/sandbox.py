"""Reads hostile files in a child process that has nothing to lose.

The child gets an open file and the name of a processor's `read`; it has an empty environment,
little memory, and the walls of `timba.files.jail` around it. It stays warm for many files and is
replaced after any failure or limit. The parent keeps the clock and the lease.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, Final

import structlog
from django.conf import settings

from timba.failpoints import failpoint
from timba.files.catalogue import processors
from timba.files.processors.base import FileRefused, Findings, Job, Processor
from timba.files.sandbox_child import MAX_ANSWER

WALL_SECONDS: Final = 60.0
TOO_LONG: Final = "Reading it took more than a minute. It is probably damaged."
DIED: Final = "It is damaged in a way that made reading it impossible."
_FILES_PER_CHILD: Final = 200
_POLL_SECONDS: Final = 0.5
_HOUSE: Final = str(Path(__file__).resolve().parents[2])
_START: Final = (
    "import sys; sys.path.insert(0, {house!r}); from timba.files.sandbox_child import main; main()"
)
# How long a child that has closed its channel may take to be gone.
_GONE_SECONDS: Final = 1.0
_mine = threading.local()
_log = structlog.get_logger(__name__)


class _Killed(Exception):
    """The child was killed from outside, as by a system short of memory: no fault of its file."""


class _Child:
    """One warm child process, which knows all processors that read in the sandbox."""

    def __init__(self) -> None:
        modules = sorted({p.read.__module__ for p in processors().values() if p.sandboxed})
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
                [sys.executable, "-I", "-c", _START.format(house=_HOUSE), *modules],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd="/",
                start_new_session=True,
            )
        self.files_read = 0
        failpoint("sandbox.child_started")

    def ask(self, question: dict[str, Any], file: IO[bytes]) -> None:
        self.files_read += 1
        descriptors = array.array("i", [file.fileno()])
        self.channel.sendmsg(
            [json.dumps(question).encode() + b"\n"],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )

    def end(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def read_in_sandbox(processor: Processor, job: Job) -> Findings:
    """Run `processor.read` in the child; raise FileRefused with the child's sentence, or ours."""
    try:
        return _read(processor, job)
    except _Killed:
        _log.warning("sandbox_killed")
    try:
        return _read(processor, job)
    except _Killed:
        raise FileRefused(DIED) from None


def _read(processor: Processor, job: Job) -> Findings:
    child: _Child | None = getattr(_mine, "child", None)
    if child is None or child.process.poll() is not None or child.files_read >= _FILES_PER_CHILD:
        close_sandbox()
        child = _mine.child = _Child()
    try:
        answer = _converse(child, processor, job)
    except BaseException:
        close_sandbox()
        raise
    if answer.get("spent"):
        close_sandbox()
    if "refused" in answer:
        raise FileRefused(answer["refused"])
    findings: Findings = answer["findings"]
    return findings


def close_sandbox() -> None:
    """End this thread's child, if it has one."""
    child: _Child | None = getattr(_mine, "child", None)
    if child is not None:
        _mine.child = None
        child.end()


def _converse(child: _Child, processor: Processor, job: Job) -> dict[str, Any]:
    question = {
        "module": processor.read.__module__,
        "function": processor.read.__qualname__,
        "name": job.name,
        "size": job.size,
    }
    # A copy without a name: the child can read it wherever the store is, and nothing else of it.
    with job.open() as stored, tempfile.TemporaryFile(dir=settings.TIMBA_DATA_DIR) as copy:
        shutil.copyfileobj(stored, copy)
        copy.flush()
        failpoint("sandbox.copied")
        try:
            child.ask(question, copy)
        except OSError:
            raise _end_of(child) from None
        failpoint("sandbox.asked")
        return _await_answer(child, job)


def _await_answer(child: _Child, job: Job) -> dict[str, Any]:
    """Wait for one line of JSON; the lease is renewed meanwhile, the wall clock is absolute."""
    deadline = time.monotonic() + WALL_SECONDS
    child.channel.settimeout(_POLL_SECONDS)
    received = bytearray()
    while not received.endswith(b"\n"):
        if time.monotonic() > deadline:
            raise FileRefused(TOO_LONG)
        try:
            chunk = child.channel.recv(64 * 1024)
        except TimeoutError:
            job.progress(0.5)
            continue
        except OSError:
            chunk = b""
        received += chunk
        if not chunk:
            raise _end_of(child)
        if len(received) > MAX_ANSWER:
            raise FileRefused(DIED)
    return _checked(bytes(received))


def _end_of(child: _Child) -> Exception:
    """Return why a child says nothing more; none of its own limits ends it with SIGKILL."""
    try:
        code = child.process.wait(_GONE_SECONDS)
    except subprocess.TimeoutExpired:
        return FileRefused(DIED)
    return _Killed() if code == -signal.SIGKILL else FileRefused(DIED)


def _checked(received: bytes) -> dict[str, Any]:
    """Return an answer of the child; whatever it says, it is believed in form alone."""
    try:
        answer = json.loads(received)
    except (ValueError, RecursionError):
        raise FileRefused(DIED) from None
    match answer:
        case {"refused": str()} | {"findings": dict()}:
            return dict(answer)
    raise FileRefused(DIED)
