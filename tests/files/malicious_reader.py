"""A processor for texts that does what a malicious file could make its reader do.

The text names one of the actions below. The sandbox child loads this module.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timba.files.processors.base import FileRefused, Findings, Processor, ReadResult, Source

GIGABYTE = 1024**3


def read_maliciously(source: Source) -> Findings | ReadResult:
    with source.open() as stream:
        action, _, argument = stream.read().decode().strip().partition(" ")
    return _ACTIONS[action](argument)


def _pid(_: str) -> Findings:
    return {"pid": os.getpid()}


def _eat_memory(_: str) -> Findings:
    return {"size": len(bytearray(GIGABYTE))}


def _recurse(depth: str) -> Findings:
    return _recurse(depth)


def _segfault(_: str) -> Findings:
    return {"text": ctypes.string_at(0)}


def _exit(_: str) -> Findings:
    os._exit(0)


def _leave(_: str) -> Findings:
    raise SystemExit


def _loop(_: str) -> Findings:
    while True:
        pass


def _loop_unkillable(_: str) -> Findings:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    return _loop(_)


def _talk(size: str) -> Findings:
    return {"text": "x" * int(size)}


def _print(size: str) -> Findings:
    for _ in range(int(size) // 1_000_000):
        os.write(1, b"x" * 1_000_000)
    return {"printed": int(size)}


def _answer_nonsense(text: str) -> Findings:
    os.write(0, text.encode() + b"\n")
    os._exit(0)


def _nest(depth: str) -> Findings:
    nested: Any = 0
    for _ in range(int(depth)):
        nested = [nested]
    return {"nested": nested}


def _poison(_: str) -> Findings:
    return {"text": "a\0b\ud800c", "number": float("nan"), "lar\0ch": [float("inf"), "\udfff"]}


def _make(size: str) -> ReadResult:
    objects = {"small": b"\n\0small", "empty": b"", "large": b"x" * int(size)}
    return ReadResult(findings={"made": True}, objects=objects)


def _refuse(sentence: str) -> Findings:
    raise FileRefused(sentence)


def _attempt(action: Callable[[], object]) -> Findings:
    try:
        return {"done": str(action())}
    except (OSError, RuntimeError) as refusal:
        return {"prevented": str(refusal)}


def _environment(_: str) -> Findings:
    return {"names": sorted(os.environ), "modules": sorted(sys.modules)}


def repeat_extra(source: Any) -> ReadResult:
    """Return the extra input and the file."""
    with source.open() as stream, source.open_extra() as extra:
        return ReadResult(findings={}, objects={"extra": extra.read(), "file": stream.read()})


_ACTIONS: dict[str, Callable[[str], Findings | ReadResult]] = {
    "pid": _pid,
    "memory": _eat_memory,
    "recursion": _recurse,
    "segfault": _segfault,
    "exit": _exit,
    "leave": _leave,
    "loop": _loop,
    "loop-unkillable": _loop_unkillable,
    "talk": _talk,
    "print": _print,
    "nonsense": _answer_nonsense,
    "nest": _nest,
    "poison": _poison,
    "make": _make,
    "refuse": _refuse,
    "environment": _environment,
    "connect": lambda port: _attempt(lambda: socket.socket().connect(("127.0.0.1", int(port)))),
    "fork": lambda _: _attempt(os.fork),
    "thread": lambda _: _attempt(threading.Thread(target=print).start),
    "run": lambda _: _attempt(lambda: subprocess.run(["true"], check=True)),
    "kill": lambda pid: _attempt(lambda: os.kill(int(pid), 0)),
    "read": lambda path: _attempt(Path(path).read_bytes),
    "make-file": lambda folder: _attempt(lambda: tempfile.mkstemp(dir=folder)),
    "write": lambda path: _attempt(lambda: Path(path).write_text("mine")),
    "remove": lambda path: _attempt(Path(path).unlink),
}


class MaliciousProcessor(Processor):
    """Reads in the sandbox, and adds the sizes of the result's objects to the findings."""

    extra_readers = (repeat_extra,)

    def stage(self, _: Any, result: ReadResult) -> Findings:
        sizes = {name: len(content) for name, content in result.objects.items()}
        return {**result.findings, "sizes": sizes}


PROCESSOR = MaliciousProcessor(kind="text", read=read_maliciously)
