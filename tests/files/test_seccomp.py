"""The seccomp filter allows the system calls that reading needs, and no other."""

from __future__ import annotations

import os
import platform

import pyseccomp
import pytest

from tests.files.untrusted_code import attempt_all
from timba.files import seccomp

ALLOWED = {
    *("read", "pread64", "lseek", "write", "fstat", "close", "dup", "pipe2", "poll", "ppoll"),
    *("recvmsg", "recvfrom", "sendto"),
    *("munmap", "mremap", "brk", "madvise"),
    *("clock_gettime", "clock_nanosleep", "gettimeofday", "time"),
    *("getrandom", "getrusage", "getpid", "gettid"),
    *("futex", "sched_yield", "sched_getaffinity", "set_robust_list", "rseq"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("exit", "exit_group"),
}
REFUSED = {
    "EPERM": {
        *("open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat"),
        *("faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "statfs"),
        *("ioctl", "uname", "sysinfo", "mbind", "clone"),
        # Allowed with some arguments.
        *("mmap", "mprotect", "fcntl", "prlimit64"),
    },
    "ENOSYS": {"clone3"},
}
MACHINES = {"x86_64": pyseccomp.Arch.X86_64, "aarch64": pyseccomp.Arch.AARCH64}
# More than there are; those from 512 on, and those with bit 30, are calls of the x32 ABI.
NUMBERS = [*range(600), *(0x40000000 + number for number in (0, 41, 57, 59, 520)), 0x7FFFFFFF]
# The kernel exempts these two, uretprobe and uprobe, from filters: its own trampolines make them,
# and from elsewhere they do nothing.
UNFILTERED = {335, 336} if platform.machine() == "x86_64" else set()
ANY = 2**64 - 1
SIGCHLD, CLONE_VM, CLONE_VFORK = 17, 0x100, 0x4000
F_SETFL, F_SETOWN, F_SETSIG, F_SETPIPE_SZ = 4, 8, 10, 1031


def numbers(names: set[str], machine: str = platform.machine()) -> set[int]:
    resolved = {pyseccomp.resolve_syscall(MACHINES[machine], name) for name in names}
    return {number for number in resolved if number >= 0}


def test_each_call_that_is_not_allowed_is_refused_or_ends_the_process() -> None:
    refused = [number for number in NUMBERS if number not in numbers(ALLOWED) | UNFILTERED]
    errors = {number: error for error, names in REFUSED.items() for number in numbers(names)}
    expected = {number: errors.get(number, "SIGSYS") for number in refused}
    outcomes = attempt_all([f"call({number}, *[{ANY}] * 6)" for number in refused])
    assert dict(zip(refused, outcomes, strict=True)) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_each_architecture(machine: str) -> None:
    refused = {**seccomp.REFUSED, **{name: pair for name, (pair, _) in seccomp.CONDITIONAL.items()}}
    column = list(MACHINES).index(machine)
    for written, names in (
        (seccomp.ALLOWED, ALLOWED),
        (refused, REFUSED["EPERM"]),
        (seccomp.UNIMPLEMENTED, REFUSED["ENOSYS"]),
    ):
        assert set(written) == names
        for name, pair in written.items():
            known = pyseccomp.resolve_syscall(MACHINES[machine], name)
            assert (name, pair[column]) == (name, max(known, -1))


def test_arguments_that_would_reach_beyond_the_process_are_refused() -> None:
    fcntl, prlimit64, mmap, mprotect, clone = (
        pyseccomp.resolve_syscall(MACHINES[platform.machine()], name)
        for name in ("fcntl", "prlimit64", "mmap", "mprotect", "clone")
    )
    attempts = {
        "have the parent signalled": f"call({fcntl}, 0, {F_SETOWN}, {os.getpid()})",
        "choose the signal": f"call({fcntl}, 0, {F_SETSIG}, 9)",
        "have it sent": f"call({fcntl}, 0, {F_SETFL}, 0o20000)",
        "fill the kernel's memory": f"call({fcntl}, 0, {F_SETPIPE_SZ}, 1024 * 1024)",
        "limit the parent": f"call({prlimit64}, {os.getpid()}, 7, 0, 0)",
        "run what was read": f"call({mmap}, 0, 4096, 5, 0x22, {ANY}, 0)",
        "run what was written": f"call({mprotect}, 0, 4096, 4)",
        "start a process": f"call({clone}, {SIGCHLD}, 0, 0, 0, 0)",
        "start one in its memory": f"call({clone}, {CLONE_VM | CLONE_VFORK | SIGCHLD}, 0, 0, 0, 0)",
    }
    outcomes = attempt_all(list(attempts.values()))
    assert dict(zip(attempts, outcomes, strict=True)) == dict.fromkeys(attempts, "EPERM")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 has a second entry")
def test_a_call_through_the_32_bit_entry_ends_the_process() -> None:
    assert attempt_all(["call_as_32_bit()"]) == ["SIGSYS"]
