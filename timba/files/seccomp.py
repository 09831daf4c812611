"""Restricts the system calls of this process, with Linux's seccomp, to those that reading needs.

The allow-list is a program of classic BPF instructions that the kernel runs for each call. A call
on none of the lists ends the process with SIGSYS. Some calls fail with an error instead, because
libraries try them and can do without.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from timba.files.heif import HEIC_IS_READ

# Its number in linux/audit.h, and its column in the tables below.
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_Numbers = Mapping[str, tuple[int, int]]

# name: (x86_64, aarch64), from asm/unistd_64.h and asm-generic/unistd.h; -1 where there is none.
ALLOWED: Final[_Numbers] = {
    "read": (0, 63),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "futex": (202, 98),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "madvise": (28, 233),
    "write": (1, 64),
    "fstat": (5, 80),
    "close": (3, 57),
    "dup": (32, 23),
    "pipe2": (293, 59),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "recvmsg": (47, 212),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "gettimeofday": (96, 169),
    "time": (201, -1),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Fail with EPERM: calls for named files, devices and system information. NumPy's matrix
# product uses `mbind` only to ask for nearer memory.
REFUSED: Final[_Numbers] = {
    "open": (2, -1),
    "openat": (257, 56),
    "stat": (4, -1),
    "lstat": (6, -1),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, -1),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, -1),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "statfs": (137, 43),
    "ioctl": (16, 29),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "mbind": (237, 235),
}
# Fails with ENOSYS, and the C library calls `clone` instead: its flags are in memory, where no
# filter can check them.
UNIMPLEMENTED: Final[_Numbers] = {"clone3": (435, 435)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """An argument, counted from 0, and the permitted values of its lower 32 bits under `mask`."""

    argument: int
    values: Sequence[int]
    mask: int = 0xFFFFFFFF


_PROT_EXEC: Final = 4
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC. Others can have signals sent.
_FCNTL_COMMANDS: Final = (0, 1, 2, 3, 1030)
_NOT_EXECUTABLE: Final = Condition(argument=2, mask=_PROT_EXEC, values=(0,))
# The flags with which the C library starts a thread: it shares all that its process has.
_THREAD_FLAGS: Final = (0x3D0F00,)
# Allowed under a condition, else EPERM. Only the decoder of HEIC needs a thread.
CONDITIONAL: Final[Mapping[str, tuple[tuple[int, int], Condition]]] = {
    "mmap": ((9, 222), _NOT_EXECUTABLE),
    "mprotect": ((10, 226), _NOT_EXECUTABLE),
    "fcntl": ((72, 25), Condition(argument=1, values=_FCNTL_COMMANDS)),
    "prlimit64": ((302, 261), Condition(argument=0, values=(0,))),
    "clone": (
        (56, 220),
        Condition(argument=0, values=_THREAD_FLAGS if HEIC_IS_READ else ()),
    ),
}

_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_KILL_PROCESS, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_REFUSE: Final = _ERRNO | errno.EPERM
# Offsets in struct seccomp_data. Arguments have 64 bits, on these machines the lower half first.
_CALL, _MACHINE, _ARGUMENTS = 0, 4, 16
_SECCOMP: Final = (317, 277)
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


class Instruction(ctypes.Structure):
    """A BPF instruction: struct sock_filter."""

    _fields_ = [
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]


def install_seccomp_filter() -> None:
    """Restrict the system calls of this process for the rest of its life.

    Raises OSError where the kernel refuses the filter or this machine's architecture has no list.
    """
    machine = platform.machine()
    if machine not in _MACHINES or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, "there is no list of system calls for this kind of machine")
    instructions = build_filter(machine)
    program = _Program(len(instructions), (Instruction * len(instructions))(*instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(_SECCOMP[_MACHINES[machine][1]])
    mode, flags = ctypes.c_ulong(_SET_MODE_FILTER), ctypes.c_ulong(_ALL_THREADS)
    if libc.syscall(number, mode, flags, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses a filter of system calls")


def build_filter(machine: str) -> list[Instruction]:
    """Return the filter's instructions for an architecture."""
    audit_number, column = _MACHINES[machine]
    return [
        # A call through the entry of another architecture, such as 32-bit x86, has its number.
        Instruction(_LOAD, 0, 0, _MACHINE),
        Instruction(_JUMP_IF_EQUAL, 1, 0, audit_number),
        Instruction(_RETURN, 0, 0, _KILL_PROCESS),
        Instruction(_LOAD, 0, 0, _CALL),
        *_rules(column),
        Instruction(_RETURN, 0, 0, _KILL_PROCESS),
    ]


def _rules(column: int) -> Iterator[Instruction]:
    for numbers, condition in CONDITIONAL.values():
        yield from _rule(numbers[column], list(_check(condition)))
    for calls, action in (
        (ALLOWED, _ALLOW),
        (REFUSED, _REFUSE),
        (UNIMPLEMENTED, _ERRNO | errno.ENOSYS),
    ):
        for numbers in calls.values():
            if numbers[column] >= 0:
                yield from _rule(numbers[column], [Instruction(_RETURN, 0, 0, action)])


def _rule(call: int, then: Sequence[Instruction]) -> Iterator[Instruction]:
    yield Instruction(_JUMP_IF_EQUAL, 0, len(then), call)
    yield from then


def _check(condition: Condition) -> Iterator[Instruction]:
    yield Instruction(_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument)
    yield Instruction(_AND, 0, 0, condition.mask)
    for left, value in zip(range(len(condition.values), 0, -1), condition.values, strict=True):
        yield Instruction(_JUMP_IF_EQUAL, left, 0, value)
    yield Instruction(_RETURN, 0, 0, _REFUSE)
    yield Instruction(_RETURN, 0, 0, _ALLOW)
