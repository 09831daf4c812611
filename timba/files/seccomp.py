"""Limits the system calls of this process to those that reading a file needs: Linux's seccomp.

An allow-list, checked in the kernel by a small program of Berkeley Packet Filter instructions. A
call that is on none of the lists ends the process with SIGSYS. Libraries ask for some calls and do
without them: those are answered with an error, as if the system did not have them.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# The machine's number (linux/audit.h) and its place in the tables below.
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
# Refused with EPERM: what is asked of files by name, of devices, of the system, and for threads;
# with `mbind` NumPy's matrix product only asks for nearer memory.
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
    "clone": (56, 220),
}
# Its flags are in memory, where no filter sees them: where it is unknown, `clone` is called.
UNKNOWN: Final[_Numbers] = {"clone3": (435, 435)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """An argument, counted from 0, and the values that its masked lower half may have."""

    argument: int
    values: Sequence[int]
    mask: int = 0xFFFFFFFF


_PROT_EXEC: Final = 4
# Duplicates and flags of descriptors; others send signals when something happens to a file.
_FCNTL_COMMANDS: Final = (0, 1, 2, 3, 1030)
_NOT_EXECUTABLE: Final = Condition(argument=2, mask=_PROT_EXEC, values=(0,))
# Allowed under a condition, else refused with EPERM.
CONDITIONAL: Final[Mapping[str, tuple[tuple[int, int], Condition]]] = {
    "mmap": ((9, 222), _NOT_EXECUTABLE),
    "mprotect": ((10, 226), _NOT_EXECUTABLE),
    "fcntl": ((72, 25), Condition(argument=1, values=_FCNTL_COMMANDS)),
    "prlimit64": ((302, 261), Condition(argument=0, values=(0,))),
}

_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_KILL_PROCESS, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_REFUSE: Final = _ERRNO | errno.EPERM
# Of struct seccomp_data: each argument has two halves, on these machines the lower one first.
_CALL, _MACHINE, _ARGUMENTS = 0, 4, 16
_SECCOMP: Final = (317, 277)
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


class Instruction(ctypes.Structure):
    """One instruction, a struct sock_filter."""

    _fields_ = [
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]


def install_seccomp_filter() -> None:
    """Limit the system calls of this process for the rest of its life.

    Raises OSError where the kernel refuses, or this kind of machine has no list.
    """
    machine = platform.machine()
    if machine not in _MACHINES or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, "there is no list of system calls for this kind of machine")
    instructions = filter_for(machine)
    program = _Program(len(instructions), (Instruction * len(instructions))(*instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(_SECCOMP[_MACHINES[machine][1]])
    mode, flags = ctypes.c_ulong(_SET_MODE_FILTER), ctypes.c_ulong(_ALL_THREADS)
    if libc.syscall(number, mode, flags, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses a filter of system calls")


def filter_for(machine: str) -> list[Instruction]:
    """Return the filter's instructions for one kind of machine."""
    audit_number, place = _MACHINES[machine]
    return [
        # A call made in another machine's way has another machine's number.
        Instruction(_LOAD, 0, 0, _MACHINE),
        Instruction(_JUMP_IF_EQUAL, 1, 0, audit_number),
        Instruction(_RETURN, 0, 0, _KILL_PROCESS),
        Instruction(_LOAD, 0, 0, _CALL),
        *_rules(place),
        Instruction(_RETURN, 0, 0, _KILL_PROCESS),
    ]


def _rules(place: int) -> Iterator[Instruction]:
    for numbers, condition in CONDITIONAL.values():
        yield from _rule(numbers[place], list(_check(condition)))
    for calls, action in (
        (ALLOWED, _ALLOW),
        (REFUSED, _REFUSE),
        (UNKNOWN, _ERRNO | errno.ENOSYS),
    ):
        for numbers in calls.values():
            if numbers[place] >= 0:
                yield from _rule(numbers[place], [Instruction(_RETURN, 0, 0, action)])


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
