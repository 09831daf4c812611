"""The child's side of the sandbox: give up all rights, then read one file after another.

It is started with its channel as standard input and the modules of the processors as arguments.
Nothing here may import Django or settings: what this process does not know, no file can make it
tell.
"""

from __future__ import annotations

import codecs
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any, BinaryIO, Final

from timba.files.processors.base import FileRefused, Findings, ReadResult, Source
from timba.files.sandbox_limits import lock_down

MAX_ANSWER: Final = 4 * 1024 * 1024
MAX_OBJECTS: Final = 64 * 1024 * 1024
MEMORY_BYTES: Final = 768 * 1024 * 1024
TOO_HEAVY: Final = "It needs more memory than one file may use."
UNREADABLE: Final = "It is damaged, or not quite the kind of file that it says it is."
TOO_TALKATIVE: Final = "It holds more facts than can be shown."
_PR_SET_PDEATHSIG: Final = 1
# Of names in archives, facts in PDFs and texts.
_ENCODINGS: Final = (
    *("ascii", "cp437", "latin-1", "cp1250", "cp1251", "cp1252", "cp1257"),
    *("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    name: str
    size: int
    descriptors: list[int]

    def open(self) -> BinaryIO:
        return _open(self.descriptors[0])

    def open_beside(self) -> BinaryIO:
        return _open(self.descriptors[1])


def main() -> None:
    """Serve questions until the parent closes the channel.

    The first argument names the protections that this machine is known to lack, the others are the
    modules of the processors.
    """
    lacking, *names = sys.argv[1:]
    modules = {name: importlib.import_module(name) for name in names}
    _load_late_modules()
    with socket.socket(fileno=0) as channel:
        _give_up_rights(lacking.split(","))
        _serve(channel, modules)


def _serve(channel: socket.socket, modules: Mapping[str, ModuleType]) -> None:
    while True:
        line, descriptors, *_ = socket.recv_fds(channel, 64 * 1024, 2)
        if not line or not descriptors:
            return
        question = json.loads(line)
        _limit_processor_time(question["seconds"])
        read = getattr(modules[question["module"]], question["function"])
        source = _Source(
            name=question["name"], size=question["size"], descriptors=list(descriptors)
        )
        answer, objects = _answer(read, source)
        for descriptor in descriptors:
            os.close(descriptor)
        sent = json.dumps(answer).encode()
        if len(sent) >= MAX_ANSWER or sum(map(len, objects)) > MAX_OBJECTS:
            sent, objects = json.dumps({"refused": TOO_TALKATIVE}).encode(), []
        channel.sendall(sent + b"\n")
        for content in objects:
            channel.sendall(content)


def _answer(
    read: Callable[[Source], Findings | ReadResult], source: Source
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the line to answer, and the objects that follow it, in the order of their sizes."""
    try:
        found = read(source)
        made = found if isinstance(found, ReadResult) else ReadResult(findings=found)
        sizes = {name: len(content) for name, content in made.objects.items()}
        return {"findings": dict(made.findings), "sizes": sizes}, list(made.objects.values())
    except FileRefused as refusal:
        return {"refused": str(refusal)}, []
    except (MemoryError, RecursionError):
        # Memory that could not be had may be half given out: the parent uses no such child again.
        return {"refused": TOO_HEAVY, "spent": True}, []
    except BaseException:  # noqa: BLE001 - whatever a hostile file raised, it is the file's fault
        return {"refused": UNREADABLE, "spent": True}, []


def _open(descriptor: int) -> BinaryIO:
    stream = os.fdopen(os.dup(descriptor), "rb")
    stream.seek(0)
    return stream


def _load_late_modules() -> None:
    """Load what Python itself loads at first use: once the rights are given up, it cannot."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    datetime.strptime("2000", "%Y")  # noqa: DTZ007 - what it returns is not used


def _give_up_rights(lacking: Collection[str]) -> None:
    """Set the limits, and put the protections in place.

    Where one more is missing than the parent has warned of, no file is read.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)) != 0:
        raise SystemExit("The sandbox cannot be made to end with its parent.")
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lower, lower))
    if missing := set(lock_down()) - set(lacking):
        raise SystemExit(f"The sandbox lacks {', '.join(sorted(missing))}.")


def _limit_processor_time(allowed: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + allowed
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
