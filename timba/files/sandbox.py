"""Reads untrusted files in a child process that has no rights to lose.

The child gets an open file and the name of a processor's function. It has an empty environment,
little memory, and the restrictions of `timba.files.sandbox_limits`. It serves many files, and is
replaced after any failure or exceeded limit. The parent enforces the time limits and renews the
lease.
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
from timba.files.processors.base import (
    FileRefused,
    Findings,
    Processor,
    ReadResult,
    Stages,
    WatchedSource,
)
from timba.files.protections import missing_protections
from timba.files.registry import processors
from timba.files.sandbox_child import MAX_OBJECT_BYTES, MAX_RESPONSE_BYTES, OCR_MODULE, READY
from timba.isolated_python import isolated_python
from timba.metrics import SANDBOX_KILLS

# CPU seconds per file, by its size: at least ten times what legitimate files were measured to need.
# CPU time, because a slow or busy machine is no fault of the file.
MAX_CPU_SECONDS: Final = 60
_MIN_CPU_SECONDS: Final = 15
_CPU_SECONDS_PER_MEGABYTE: Final = 10
# For a reader that waits without using the CPU.
WALL_CLOCK_SECONDS: Final = 240.0
# Uploads may be larger than this; the child's memory bounds what it can read of them.
MAX_BYTES: Final = 64 * 1024 * 1024
TOO_LARGE: Final = "It is larger than the 64 MB that a file like this may have."
TIMED_OUT: Final = (
    "Reading it took longer than a file of its size may take. It is probably damaged."
)
CRASHED: Final = "It is damaged in a way that made reading it impossible."
INTERRUPTED: Final = "Reading it was cut off twice. The file is safe; try again."
_FILES_PER_CHILD: Final = 200
_POLL_SECONDS: Final = 0.5
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS")
_START_CHILD: Final = "from timba.files.sandbox_child import main; main()"
# How long a child may take to start, on a machine that is very busy.
_START_SECONDS: Final = 120.0
# How long a child that has closed its channel may take to exit.
_EXIT_SECONDS: Final = 1.0
_local = threading.local()
_log = structlog.get_logger(__name__)
_Response = tuple[dict[str, Any], dict[str, bytes]]


class SandboxUnavailable(Exception):
    """No child can be started at the moment: no file is at fault."""


class _ChildKilled(Exception):
    """The child was killed from outside, as when memory runs out: the file is not at fault."""


class _Child:
    """A child process that has loaded all sandboxed processors, or `languages` for OCR."""

    def __init__(self, languages: str = "") -> None:
        missing = ",".join(missing_protections())
        modules = [OCR_MODULE] if languages else _processor_modules()
        self.languages = languages
        self.channel, child_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with child_channel:
            self.process = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
                [*isolated_python(_START_CHILD), missing, languages, *modules],
                stdin=child_channel.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict.fromkeys(_ONE_THREAD, "1"),
                cwd="/",
                start_new_session=True,
            )
        self.files_read = 0
        self.is_ready = False
        failpoint("sandbox.child_started")

    def can_be_used(self, languages: str) -> bool:
        is_alive = self.process.poll() is None
        return is_alive and self.files_read < _FILES_PER_CHILD and self.languages == languages

    def send_request(self, request: dict[str, Any], *files: IO[bytes]) -> None:
        self.files_read += 1
        descriptors = array.array("i", [file.fileno() for file in files])
        self.channel.sendmsg(
            [json.dumps(request).encode() + b"\n"],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )

    def kill(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def read_in_sandbox(
    processor: Processor, source: WatchedSource, *, extra: bytes = b""
) -> ReadResult:
    """Run `processor.read` in the child over the file and the `extra` input.

    Raises FileRefused with its reason or a limit, and SandboxUnavailable.
    """
    return run_in_sandbox(processor.read, source, extra=extra)


def run_in_sandbox(
    function: Callable[[Any], Findings | ReadResult],
    source: WatchedSource,
    *,
    extra: bytes = b"",
    cpu_seconds: int | None = None,
    languages: str = "",
) -> ReadResult:
    """Run a processor's `read`, `draw` or one of its `extra_readers` over the file and `extra`.

    `cpu_seconds` is how many it may take; by default, that depends on the size of the file. With
    `languages`, `+` between them, it is a function of OCR_MODULE, and runs in a child that has
    loaded them and no processor. Raises FileRefused, and SandboxUnavailable.
    """
    if source.size > MAX_BYTES:
        raise FileRefused(TOO_LARGE)
    if cpu_seconds is None:
        cpu_seconds = cpu_seconds_for(source.size)
    try:
        return _run_once(function, source, extra, cpu_seconds, languages)
    except _ChildKilled:
        _log.warning("sandbox_killed")
    try:
        return _run_once(function, source, extra, cpu_seconds, languages)
    except _ChildKilled:
        raise FileRefused(INTERRUPTED) from None


def close_sandbox() -> None:
    """Kill this thread's child, if it has one."""
    child: _Child | None = getattr(_local, "child", None)
    if child is not None:
        _local.child = None
        child.kill()


def cpu_seconds_for(size: int) -> int:
    """Return how many CPU seconds reading a file of `size` bytes may take."""
    return min(_MIN_CPU_SECONDS + _CPU_SECONDS_PER_MEGABYTE * size // 1024**2, MAX_CPU_SECONDS)


def _processor_modules() -> list[str]:
    sandboxed = [p for p in processors().values() if p.sandboxed]
    return sorted({reader.__module__ for p in sandboxed for reader in _readers(p)})


def _readers(processor: Processor) -> tuple[Callable[[Any], Findings | ReadResult], ...]:
    staging = processor.extra_readers if isinstance(processor, Stages) else ()
    drawing = () if processor.draw is None else (processor.draw,)
    return processor.read, *staging, *drawing


def _run_once(
    function: Callable[[Any], Findings | ReadResult],
    source: WatchedSource,
    extra: bytes,
    cpu_seconds: int,
    languages: str,
) -> ReadResult:
    child: _Child | None = getattr(_local, "child", None)
    if child is None or not child.can_be_used(languages):
        close_sandbox()
        child = _local.child = _Child(languages)
    try:
        response, objects = _exchange(child, function, source, extra, cpu_seconds)
    except BaseException as error:
        SANDBOX_KILLS.labels(_kill_reason(error)).inc()
        close_sandbox()
        raise
    if response.get("replace_child"):
        close_sandbox()
    if "refused" in response:
        raise FileRefused(response["refused"])
    return ReadResult(findings=response["findings"], objects=objects)


def _exchange(
    child: _Child,
    function: Callable[[Any], Findings | ReadResult],
    source: WatchedSource,
    extra: bytes,
    cpu_seconds: int,
) -> _Response:
    request = {
        "module": function.__module__,
        "function": function.__qualname__,
        "name": source.name,
        "size": source.size,
        "cpu_seconds": cpu_seconds,
    }
    # Unnamed copies: the child can read the file from any store, and nothing else in that store.
    with source.open() as stored, _unnamed_file() as copy, _unnamed_file() as extra_file:
        shutil.copyfileobj(stored, copy)
        copy.flush()
        extra_file.write(extra)
        extra_file.flush()
        failpoint("sandbox.copied")
        try:
            child.send_request(request, copy, extra_file)
        except OSError:
            raise _exit_reason(child) from None
        failpoint("sandbox.request_sent")
        if not child.is_ready:
            _wait_until_ready(child, source)
        return _receive_response(child, source)


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(dir=settings.TIMBA_DATA_DIR)


def _wait_until_ready(child: _Child, source: WatchedSource) -> None:
    _receive_chunk(child, source, time.monotonic() + _START_SECONDS, count=len(READY))
    child.is_ready = True


def _receive_response(child: _Child, source: WatchedSource) -> _Response:
    """Receive one line of JSON and the objects whose sizes it lists."""
    deadline = time.monotonic() + WALL_CLOCK_SECONDS
    received = bytearray()
    while (end := received.find(b"\n")) < 0:
        if len(received) > MAX_RESPONSE_BYTES:
            raise FileRefused(CRASHED)
        received += _receive_chunk(child, source, deadline)
    response = _parse_response(bytes(received[:end]))
    del received[: end + 1]
    sizes: dict[str, int] = response.get("sizes", {})
    while len(received) < sum(sizes.values()):
        received += _receive_chunk(child, source, deadline)
    objects, start = {}, 0
    for name, size in sizes.items():
        objects[name] = bytes(received[start : start + size])
        start += size
    return response, objects


def _receive_chunk(
    child: _Child, source: WatchedSource, deadline: float, count: int = 64 * 1024
) -> bytes:
    """Return the next bytes, at most `count`, and renew the lease while waiting for them."""
    child.channel.settimeout(_POLL_SECONDS)
    while time.monotonic() <= deadline:
        try:
            chunk = child.channel.recv(count)
        except TimeoutError:
            source.progress(0.5)
            continue
        except OSError:
            chunk = b""
        if not chunk:
            raise _exit_reason(child)
        return chunk
    raise FileRefused(TIMED_OUT) if child.is_ready else SandboxUnavailable("It does not start.")


def _exit_reason(child: _Child) -> Exception:
    """Return the exception for a child that has exited; none of its own limits sends SIGKILL."""
    try:
        code = child.process.wait(_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        code = None
    if code == -signal.SIGKILL:
        return _ChildKilled()
    if not child.is_ready:
        return SandboxUnavailable(f"Its process ended with {code} before it read a file.")
    if code == -signal.SIGSYS:
        _log.warning("sandbox_forbidden_call")
    return FileRefused(TIMED_OUT if code == -signal.SIGXCPU else CRASHED)


def _kill_reason(error: BaseException) -> str:
    """Return why a child ended before it had read its file, in a word for metrics."""
    if isinstance(error, _ChildKilled):
        return "killed"
    if isinstance(error, FileRefused):
        return "time_limit" if str(error) == TIMED_OUT else "crash"
    return "other"


def _parse_response(received: bytes) -> dict[str, Any]:
    """Parse and validate a response; its content is as untrusted as the file."""
    try:
        response = json.loads(received)
    except (ValueError, RecursionError):
        raise FileRefused(CRASHED) from None
    match response:
        case {"refused": str(sentence)}:
            return {"refused": sentence, "replace_child": response.get("replace_child", False)}
        case {"findings": dict(), "sizes": dict(sizes)} if _are_valid_sizes(sizes.values()):
            return dict(response)
    raise FileRefused(CRASHED)


def _are_valid_sizes(sizes: Collection[Any]) -> bool:
    valid = [size for size in sizes if type(size) is int and size >= 0]
    return len(valid) == len(sizes) and sum(valid) <= MAX_OBJECT_BYTES
