"""Runs Python code where a malicious file could make its reader run it: behind the sandbox.

PROCESSOR runs each text in the sandbox. `attempt_all` runs code behind chosen protections, each
piece in a process of its own: `python -m tests.files.untrusted_code PROTECTION…` reads a JSON list
of pieces and prints their outcomes.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import signal
import socket  # noqa: F401 - for code that is attempted
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timba.files.processors.base import Processor, ReadResult, Source
from timba.files.sandbox_limits import PROTECTIONS

# Ends a system call that never returns.
_TIMEOUT_SECONDS = 20
_ROOT = Path(__file__).parents[2]


def run_text(source: Source) -> ReadResult:
    """Run the text, which may use `source`; it may assign `findings` and `objects`."""
    variables: dict[str, Any] = {"source": source}
    with source.open() as stream:
        exec(stream.read(), variables)
    result = {name: variables.get(name, {}) for name in ("findings", "objects")}
    return ReadResult(**result)


PROCESSOR = Processor(kind="text", read=run_text)


def attempt_all(
    code: Sequence[str], *, protections: Sequence[str] = tuple(PROTECTIONS)
) -> list[str]:
    """Return the outcome of each piece: “done”, the name of an error, or that of a fatal signal."""
    completed = subprocess.run(
        [sys.executable, "-m", __name__, *protections],
        input=json.dumps(code),
        capture_output=True,
        text=True,
        check=True,
        cwd=_ROOT,
    )
    return completed.stdout.split()


def call(number: int, *arguments: int) -> None:
    """Make a system call, for code that is attempted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*map(ctypes.c_ulong, (number, *arguments))) == -1:
        raise OSError(ctypes.get_errno(), "")


# getuid, called as a 32-bit program does: mov eax, 24; int 0x80; ret. As a 64-bit call, 24 is
# sched_yield, which the sandbox allows.
_MACHINE_CODE = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_MACHINE_CODE.write(b"\xb8\x18\x00\x00\x00\xcd\x80\xc3")
call_as_32_bit = ctypes.CFUNCTYPE(ctypes.c_int)(
    ctypes.addressof(ctypes.c_char.from_buffer(_MACHINE_CODE))
)


def _outcome(code: str, protections: Sequence[str]) -> str:
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            signal.alarm(_TIMEOUT_SECONDS)
            for name in protections:
                PROTECTIONS[name]()
            exec(code, globals())
            status = 0
        except OSError as refusal:
            status = refusal.errno or status
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        return signal.Signals(-status).name
    return errno.errorcode[status] if status else "done"


if __name__ == "__main__":
    print(*(_outcome(code, sys.argv[1:]) for code in json.load(sys.stdin)))
