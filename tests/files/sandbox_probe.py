"""Attempts actions behind the sandbox's protections, each in a process of its own.

`python -m tests.files.sandbox_probe USER PROTECTION…` becomes that user, reads a JSON list of
attempts, and writes the outcome of each: "done", the name of an error or of a fatal signal, or the
output of a reader.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import importlib
import io
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from timba.files import sandbox_child
from timba.files.processors.base import FileRefused, ReadResult
from timba.files.sandbox_limits import PROTECTIONS

NOBODY = 65534
# Ends a system call that never returns.
_TIMEOUT_SECONDS = 20
_ROOT = Path(__file__).parents[2]
_READERS = (
    "timba.files.processors.document",
    "timba.files.processors.photo",
    "timba.tallies.annotate",
    "timba.tallies.reading",
)


def attempt_all(
    attempts: Sequence[Sequence[Any]], *, user: int, protections: Sequence[str] = tuple(PROTECTIONS)
) -> list[str]:
    """Return the outcome of each attempt behind these protections."""
    completed = subprocess.run(
        [sys.executable, "-m", __name__, str(user), *protections],
        input=json.dumps(attempts),
        capture_output=True,
        text=True,
        check=True,
        cwd=_ROOT,
    )
    outcomes: list[str] = json.loads(completed.stdout)
    return outcomes


def users() -> list[int]:
    """Return the user ids that this process can take: its own, and for root another one."""
    return [0, NOBODY] if os.geteuid() == 0 else [os.geteuid()]


class _Bytes:
    """A source in memory."""

    name = "file"

    def __init__(self, content: str, extra: str = "") -> None:
        self._content, self._extra = base64.b64decode(content), base64.b64decode(extra)
        self.size = len(self._content)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._content)

    def open_extra(self) -> io.BytesIO:
        return io.BytesIO(self._extra)


def _call(number: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*map(ctypes.c_ulong, (number, *arguments))) == -1:
        raise OSError(ctypes.get_errno(), "")


def _read(module: str, function: str, *content: str) -> str:
    try:
        output = getattr(sys.modules[module], function)(_Bytes(*content))
    except FileRefused as refusal:
        return str(refusal)
    result = output if isinstance(output, ReadResult) else ReadResult(findings=output)
    return json.dumps([result.findings, sorted(result.objects)])


def _connect(port: int) -> None:
    with socket.socket() as caller:
        caller.connect(("127.0.0.1", port))


def _connect_abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(f"\0{name}")


# getpid, called as a 32-bit program does: mov eax, 20; int 0x80; ret
_CALL_AS_32_BIT = mmap.mmap(
    -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
)
_CALL_AS_32_BIT.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
_call_as_32_bit = ctypes.CFUNCTYPE(ctypes.c_int)(
    ctypes.addressof(ctypes.c_char.from_buffer(_CALL_AS_32_BIT))
)

_ATTEMPTS: dict[str, Callable[..., Any]] = {
    "call": _call,
    "call as 32-bit": _call_as_32_bit,
    "read": _read,
    "open": lambda path: Path(path).read_bytes() and None,
    "make": lambda path: Path(path).touch(),
    "remove": lambda path: Path(path).unlink(),
    "connect": _connect,
    "connect abstract": _connect_abstract,
    "signal": lambda pid: os.kill(pid, 0),
    "allow more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
}


def _outcome(attempt: Sequence[Any], protections: Sequence[str]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(_TIMEOUT_SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (sandbox_child.MEMORY_BYTES,) * 2)
        for name in protections:
            PROTECTIONS[name]()
        name, *arguments = attempt
        try:
            answer = _ATTEMPTS[name](*arguments)
            outcome = answer if isinstance(answer, str) else "done"
        except OSError as refusal:
            outcome = errno.errorcode[refusal.errno or 0]
        except ValueError as refusal:
            outcome = str(refusal)
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        outcome = answer.read()
    _, status = os.waitpid(pid, 0)
    return outcome or signal.Signals(os.WTERMSIG(status)).name


def _main() -> None:
    user, *protections = sys.argv[1:]
    attempts = json.load(sys.stdin)
    if any(name == "read" for name, *_ in attempts):
        for reader in _READERS:
            importlib.import_module(reader)
        sandbox_child._preload_lazy_modules()
    if int(user) != os.geteuid():
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    json.dump([_outcome(attempt, protections) for attempt in attempts], sys.stdout)


if __name__ == "__main__":
    _main()
