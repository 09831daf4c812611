"""Walls around this process, which it cannot take down again: Linux's seccomp and Landlock.

Behind them there are no other processes, no network and no signals to others; no file can be made,
changed or removed, and none be read but those that Python itself is made of. A wall that the kernel
or the machine does not have is left out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

# System calls by machine (x86_64: asm/unistd_64.h, aarch64: asm-generic/unistd.h).
_MACHINES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FORBIDDEN: Final = {
    # name: (x86_64, aarch64), -1 where a machine has no such call
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
}
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: EPERM
_OFFSET_OF_CALL, _OFFSET_OF_MACHINE = 0, 4
_X32_CALLS: Final = 0x40000000

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION, _LANDLOCK_PATH_BENEATH = 1, 1
# EXECUTE, READ_FILE and READ_DIR; mapping a shared library needs no more.
_MAY_READ: Final = 0b1101
# The rights that each version of Landlock knows of, oldest first: 13 of them, then 14, then 15.
_RIGHTS_BY_VERSION: Final = (13, 14, 15)
_SYSTEM_FOLDERS: Final = ("/usr", "/lib", "/lib64", "/etc")


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


_libc: Final = ctypes.CDLL(None, use_errno=True)


def wall_in() -> None:
    """Put up the walls, for the rest of this process's life."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    folders = {sys.prefix, sys.base_prefix, *_SYSTEM_FOLDERS}
    _hide_files_except(Path(folder) for folder in folders)
    _forbid_calls()


def _hide_files_except(folders: Iterable[Path]) -> None:
    version = _libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return
    known = _RIGHTS_BY_VERSION[min(version, len(_RIGHTS_BY_VERSION)) - 1]
    handled = ctypes.c_uint64((1 << known) - 1)
    rules = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    for folder in folders:
        if folder.is_dir():
            descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            beneath = _Beneath(allowed=_MAY_READ, folder=descriptor)
            _libc.syscall(_LANDLOCK_ADD, rules, _LANDLOCK_PATH_BENEATH, ctypes.byref(beneath), 0)
            os.close(descriptor)
    _libc.syscall(_LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)


def _forbid_calls() -> None:
    machine = platform.machine()
    if machine not in _MACHINES:
        return
    place = list(_MACHINES).index(machine)
    calls = [numbers[place] for numbers in _FORBIDDEN.values() if numbers[place] >= 0]
    checks = [
        # Whatever pretends to be another kind of machine would use other numbers.
        _Instruction(_LOAD, 0, 0, _OFFSET_OF_MACHINE),
        _Instruction(_JUMP_IF_EQUAL, 1, 0, _MACHINES[machine]),
        _Instruction(_RETURN, 0, 0, _KILL),
        _Instruction(_LOAD, 0, 0, _OFFSET_OF_CALL),
        _Instruction(_JUMP_IF_AT_LEAST, len(calls) + 1, 0, _X32_CALLS),
        *(
            _Instruction(_JUMP_IF_EQUAL, len(calls) - number, 0, call)
            for number, call in enumerate(calls)
        ),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, _REFUSE),
    ]
    program = _Program(len(checks), (_Instruction * len(checks))(*checks))
    _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
