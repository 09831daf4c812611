"""Reads hostile files in a child process that has nothing to lose.

The child gets an open file and the name of a processor's `read`; it has an empty environment,
little memory, and the restrictions of `timba.files.sandbox_limits`. It stays warm for many files
and is replaced after any failure or limit. The parent keeps the clock and the lease.
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
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from typing import IO, Any, Final

import structlog
from django.conf import settings

from timba.failpoints import failpoint
from timba.files.processors.base import FileRefused, Findings, Job, Processor, ReadResult, Stages
from timba.files.protections import isolated_python, missing_protections
from timba.files.registry import processors
from timba.files.sandbox_child import MAX_ANSWER, MAX_OBJECTS

# What a file may cost, by its size: ten times and more of what honest files were measured to need.
# Seconds of the processor, so that nobody pays for a machine that is slow or busy.
MAX_SECONDS: Final = 60
_LEAST_SECONDS: Final = 15
_SECONDS_PER_MEGABYTE: Final = 10
# For what waits without computing.
WALL_SECONDS: Final = 240.0
# Of what may be larger at the door: the memory of the child bounds what it can read of it.
MAX_BYTES: Final = 64 * 1024 * 1024
TOO_LARGE: Final = "It is larger than the 64 MB that a file like this may have."
TOO_LONG: Final = "Reading it took longer than a file of its size may take. It is probably damaged."
DIED: Final = "It is damaged in a way that made reading it impossible."
CUT_OFF: Final = "Reading it was cut off twice. The file is safe; try again."
_FILES_PER_CHILD: Final = 200
_POLL_SECONDS: Final = 0.5
_START: Final = "from timba.files.sandbox_child import main; main()"
# How long a child that has closed its channel may take to be gone.
_GONE_SECONDS: Final = 1.0
_mine = threading.local()
_log = structlog.get_logger(__name__)
_Answer = tuple[dict[str, Any], dict[str, bytes]]


class _Killed(Exception):
    """The child was killed from outside, as by a system short of memory: no fault of its file."""


class _Child:
    """One warm child process, which knows all processors that read in the sandbox."""

    def __init__(self) -> None:
        sandboxed = [p for p in processors().values() if p.sandboxed]
        lacking = ",".join(missing_protections())
        readers = [reader for p in sandboxed for reader in (p.read, *_extra_readers(p))]
        modules = sorted({reader.__module__ for reader in readers})
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
                [*isolated_python(_START), lacking, *modules],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd="/",
                start_new_session=True,
            )
        self.files_read = 0
        failpoint("sandbox.child_started")

    def ask(self, question: dict[str, Any], *files: IO[bytes]) -> None:
        self.files_read += 1
        descriptors = array.array("i", [file.fileno() for file in files])
        self.channel.sendmsg(
            [json.dumps(question).encode() + b"\n"],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )

    def end(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _extra_readers(processor: Processor) -> tuple[Callable[[Any], ReadResult], ...]:
    return processor.extra_readers if isinstance(processor, Stages) else ()


def read_in_sandbox(processor: Processor, job: Job) -> ReadResult:
    """Run `processor.read` in the child; raise FileRefused with the child's sentence, or ours."""
    return run_in_sandbox(processor.read, job)


def run_in_sandbox(
    function: Callable[[Any], Findings | ReadResult], job: Job, *, beside: bytes = b""
) -> ReadResult:
    """Run a processor's `read`, or one of its `aids`, over the file and what is given beside it.

    Raises FileRefused.
    """
    if job.size > MAX_BYTES:
        raise FileRefused(TOO_LARGE)
    try:
        return _run(function, job, beside)
    except _Killed:
        _log.warning("sandbox_killed")
    try:
        return _run(function, job, beside)
    except _Killed:
        raise FileRefused(CUT_OFF) from None


def _run(function: Callable[[Any], Findings | ReadResult], job: Job, beside: bytes) -> ReadResult:
    child: _Child | None = getattr(_mine, "child", None)
    if child is None or child.process.poll() is not None or child.files_read >= _FILES_PER_CHILD:
        close_sandbox()
        child = _mine.child = _Child()
    try:
        answer, objects = _converse(child, function, job, beside)
    except BaseException:
        close_sandbox()
        raise
    if answer.get("spent"):
        close_sandbox()
    if "refused" in answer:
        raise FileRefused(answer["refused"])
    return ReadResult(findings=answer["findings"], objects=objects)


def close_sandbox() -> None:
    """End this thread's child, if it has one."""
    child: _Child | None = getattr(_mine, "child", None)
    if child is not None:
        _mine.child = None
        child.end()


def _converse(
    child: _Child, function: Callable[[Any], Findings | ReadResult], job: Job, beside: bytes
) -> _Answer:
    question = {
        "module": function.__module__,
        "function": function.__qualname__,
        "name": job.name,
        "size": job.size,
        "seconds": seconds_for(job.size),
    }
    # Copies without a name: the child can read them wherever the store is, and nothing else of it.
    with job.open() as stored, _nameless() as copy, _nameless() as other:
        shutil.copyfileobj(stored, copy)
        copy.flush()
        other.write(beside)
        other.flush()
        failpoint("sandbox.copied")
        try:
            child.ask(question, copy, other)
        except OSError:
            raise _end_of(child) from None
        failpoint("sandbox.asked")
        return _await_answer(child, job)


def seconds_for(size: int) -> int:
    """Return how many seconds of the processor a file of so many bytes may take."""
    return min(_LEAST_SECONDS + _SECONDS_PER_MEGABYTE * size // 1024**2, MAX_SECONDS)


def _nameless() -> IO[bytes]:
    return tempfile.TemporaryFile(dir=settings.TIMBA_DATA_DIR)


def _await_answer(child: _Child, job: Job) -> _Answer:
    """Wait for one line of JSON and the objects that it announces."""
    deadline = time.monotonic() + WALL_SECONDS
    received = bytearray()
    while (end := received.find(b"\n")) < 0:
        if len(received) > MAX_ANSWER:
            raise FileRefused(DIED)
        received += _some(child, job, deadline)
    answer = _checked(bytes(received[:end]))
    del received[: end + 1]
    sizes: dict[str, int] = answer.get("sizes", {})
    while len(received) < sum(sizes.values()):
        received += _some(child, job, deadline)
    objects, start = {}, 0
    for name, size in sizes.items():
        objects[name] = bytes(received[start : start + size])
        start += size
    return answer, objects


def _some(child: _Child, job: Job, deadline: float) -> bytes:
    """Return what comes next; the lease is renewed meanwhile, the wall clock is absolute."""
    child.channel.settimeout(_POLL_SECONDS)
    while time.monotonic() <= deadline:
        try:
            chunk = child.channel.recv(64 * 1024)
        except TimeoutError:
            job.progress(0.5)
            continue
        except OSError:
            chunk = b""
        if not chunk:
            raise _end_of(child)
        return chunk
    raise FileRefused(TOO_LONG)


def _end_of(child: _Child) -> Exception:
    """Return why a child says nothing more; none of its own limits ends it with SIGKILL."""
    try:
        code = child.process.wait(_GONE_SECONDS)
    except subprocess.TimeoutExpired:
        return FileRefused(DIED)
    if code == -signal.SIGSYS:
        _log.warning("sandbox_forbidden_call")
    if code == -signal.SIGXCPU:
        return FileRefused(TOO_LONG)
    return _Killed() if code == -signal.SIGKILL else FileRefused(DIED)


def _checked(received: bytes) -> dict[str, Any]:
    """Return an answer of the child; whatever it says, it is believed in form alone."""
    try:
        answer = json.loads(received)
    except (ValueError, RecursionError):
        raise FileRefused(DIED) from None
    match answer:
        case {"refused": str()}:
            return {"refused": answer["refused"], "spent": answer.get("spent", False)}
        case {"findings": dict(), "sizes": dict(sizes)} if _believable(sizes.values()):
            return dict(answer)
    raise FileRefused(DIED)


def _believable(sizes: Collection[Any]) -> bool:
    known = [size for size in sizes if type(size) is int and size >= 0]
    return len(known) == len(sizes) and sum(known) <= MAX_OBJECTS
