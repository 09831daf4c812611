"""The child's side of the sandbox: give up all rights, then read one file after another.

It is started with its channel as standard input and the modules of the processors as arguments.
Nothing here may import Django or settings: what this process does not know, no file can make it
tell.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from timba.files.jail import wall_in
from timba.files.processors.base import FileRefused, Findings, Made, Source

MAX_ANSWER: Final = 4 * 1024 * 1024
MAX_OBJECTS: Final = 64 * 1024 * 1024
MEMORY_BYTES: Final = 768 * 1024 * 1024
CPU_SECONDS: Final = 60
TOO_HEAVY: Final = "It needs more memory than one file may use."
UNREADABLE: Final = "It is damaged, or not quite the kind of file that it says it is."
TOO_TALKATIVE: Final = "It holds more facts than can be shown."
_PR_SET_PDEATHSIG: Final = 1


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
    """Serve questions until the parent closes the channel."""
    modules = {name: importlib.import_module(name) for name in sys.argv[1:]}
    _give_up_rights()
    channel = socket.socket(fileno=0)
    while True:
        line, descriptors, *_ = socket.recv_fds(channel, 64 * 1024, 2)
        if not line or not descriptors:
            return
        _limit_processor_time()
        question = json.loads(line)
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
    read: Callable[[Source], Findings | Made], source: Source
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the line to answer, and the objects that follow it, in the order of their sizes."""
    try:
        found = read(source)
        made = found if isinstance(found, Made) else Made(findings=found)
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


def _give_up_rights() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    wall_in()


def _limit_processor_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
