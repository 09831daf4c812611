"""The child process of the sandbox: it drops its rights, then reads one file after another.

Its standard input is the channel to the parent. Nothing here may import Django or settings: a
secret that this process does not have, no file can make it reveal.
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

from timba.files.heif import HEIC_IS_READ
from timba.files.processors.base import FileRefused, Findings, ReadResult, Source
from timba.files.sandbox_limits import lock_down

# Sent once, before the first request is read: until then, no file is at fault.
READY: Final = b"\n"
OCR_MODULE: Final = "timba.files.processors.ocr"
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
MAX_OBJECT_BYTES: Final = 64 * 1024 * 1024
MEMORY_BYTES: Final = 768 * 1024 * 1024
OUT_OF_MEMORY: Final = "It needs more memory than one file may use."
UNREADABLE: Final = "It is damaged, or not quite the kind of file that it says it is."
TOO_MANY_FINDINGS: Final = "It holds more facts than can be shown."
_PR_SET_PDEATHSIG: Final = 1
# Encodings of names in archives, of metadata in PDFs, and of texts.
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

    def open_extra(self) -> BinaryIO:
        return _open(self.descriptors[1])


def main() -> None:
    """Serve requests until the parent closes the channel.

    The first argument lists the protections that this machine is known to lack. The second names
    the languages of OCR: their data is loaded before files are out of reach. The others are the
    modules of the readers.
    """
    missing, languages, *names = sys.argv[1:]
    modules = {name: importlib.import_module(name) for name in names}
    if languages:
        modules[OCR_MODULE].load_languages(languages)
    _preload_lazy_modules()
    with socket.socket(fileno=0) as channel:
        _drop_rights(known_missing=missing.split(","))
        channel.sendall(READY)
        _serve(channel, modules)


def _serve(channel: socket.socket, modules: Mapping[str, ModuleType]) -> None:
    while True:
        line, descriptors, *_ = socket.recv_fds(channel, 64 * 1024, 2)
        if not line or not descriptors:
            return
        request = json.loads(line)
        _limit_cpu_time(request["cpu_seconds"])
        function = getattr(modules[request["module"]], request["function"])
        source = _Source(name=request["name"], size=request["size"], descriptors=list(descriptors))
        response, objects = _run(function, source)
        for descriptor in descriptors:
            os.close(descriptor)
        header = json.dumps(response).encode()
        if len(header) >= MAX_RESPONSE_BYTES or sum(map(len, objects)) > MAX_OBJECT_BYTES:
            header, objects = json.dumps({"refused": TOO_MANY_FINDINGS}).encode(), []
        channel.sendall(header + b"\n")
        for content in objects:
            channel.sendall(content)


def _run(
    function: Callable[[Source], Findings | ReadResult], source: Source
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the response, and the objects that follow it, in the order of its `sizes`."""
    try:
        output = function(source)
        result = output if isinstance(output, ReadResult) else ReadResult(findings=output)
        sizes = {name: len(content) for name, content in result.objects.items()}
        return {"findings": dict(result.findings), "sizes": sizes}, list(result.objects.values())
    except FileRefused as refusal:
        return {"refused": str(refusal)}, []
    except (MemoryError, RecursionError):
        # The allocation that failed may have left half-built state: the parent replaces this child.
        return {"refused": OUT_OF_MEMORY, "replace_child": True}, []
    except BaseException:  # noqa: BLE001 - any error here is caused by the file
        return {"refused": UNREADABLE, "replace_child": True}, []


def _open(descriptor: int) -> BinaryIO:
    stream = os.fdopen(os.dup(descriptor), "rb")
    stream.seek(0)
    return stream


def _preload_lazy_modules() -> None:
    """Import what Python itself imports at first use, which is impossible after `_drop_rights`."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    datetime.strptime("2000", "%Y")  # noqa: DTZ007 - the result is not used


def _drop_rights(*, known_missing: Collection[str]) -> None:
    """Set the resource limits and put the protections in place.

    Raises SystemExit where a protection is missing that the parent has not warned of.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)) != 0:
        raise SystemExit("The sandbox cannot be tied to the life of its parent process.")
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    # The limit counts threads too; the seccomp filter refuses processes by itself.
    if not HEIC_IS_READ or "seccomp" in known_missing:
        limits[resource.RLIMIT_NPROC] = 0
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lower, lower))
    if missing := set(lock_down()) - set(known_missing):
        raise SystemExit(f"The sandbox lacks {', '.join(sorted(missing))}.")


def _limit_cpu_time(allowed: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + allowed
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
