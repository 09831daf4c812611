"""The filter of system calls lets through what reading needs, and not one call beside."""

from __future__ import annotations

import os
import platform

import pyseccomp
import pytest

from tests.files.locked_down import tried, users
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
# Beyond all that there are; those from 512 on, and those with that bit, are of the x32 kind.
NUMBERS = [*range(600), *(0x40000000 + number for number in (0, 41, 57, 59, 520)), 0x7FFFFFFF]
# The kernel lets no filter see these two, uretprobe and uprobe: its own trampolines make them, and
# from anywhere else they do nothing.
UNFILTERED = {335, 336} if platform.machine() == "x86_64" else set()
ANY = 2**64 - 1
F_SETFL, F_SETOWN, F_SETSIG, F_SETPIPE_SZ = 4, 8, 10, 1031


def numbers(names: set[str], machine: str = platform.machine()) -> set[int]:
    found = {pyseccomp.resolve_syscall(MACHINES[machine], name) for name in names}
    return {number for number in found if number >= 0}


@pytest.mark.parametrize("user", users())
def test_each_call_that_is_not_allowed_is_refused_or_ends_the_process(user: int) -> None:
    asked = [number for number in NUMBERS if number not in numbers(ALLOWED) | UNFILTERED]
    errors = {number: error for error, names in REFUSED.items() for number in numbers(names)}
    expected = {number: errors.get(number, "SIGSYS") for number in asked}
    outcomes = tried([["call", number, *[ANY] * 6] for number in asked], user=user)
    assert dict(zip(asked, outcomes, strict=True)) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_each_kind_of_machine(machine: str) -> None:
    refused = {**seccomp.REFUSED, **{name: pair for name, (pair, _) in seccomp.CONDITIONAL.items()}}
    place = list(MACHINES).index(machine)
    for written, names in (
        (seccomp.ALLOWED, ALLOWED),
        (refused, REFUSED["EPERM"]),
        (seccomp.UNIMPLEMENTED, REFUSED["ENOSYS"]),
    ):
        assert set(written) == names
        for name, pair in written.items():
            known = pyseccomp.resolve_syscall(MACHINES[machine], name)
            assert (name, pair[place]) == (name, max(known, -1))


def test_arguments_that_would_reach_beyond_the_process_are_refused() -> None:
    fcntl, prlimit64, mmap, mprotect = (
        pyseccomp.resolve_syscall(MACHINES[platform.machine()], name)
        for name in ("fcntl", "prlimit64", "mmap", "mprotect")
    )
    attempts: dict[str, list[object]] = {
        "have the parent signalled": ["call", fcntl, 0, F_SETOWN, os.getpid()],
        "choose the signal": ["call", fcntl, 0, F_SETSIG, 9],
        "have it sent": ["call", fcntl, 0, F_SETFL, 0o20000],
        "fill the kernel's memory": ["call", fcntl, 0, F_SETPIPE_SZ, 1024 * 1024],
        "limit the parent": ["call", prlimit64, os.getpid(), 7, 0, 0],
        "run what was read": ["call", mmap, 0, 4096, 5, 0x22, ANY, 0],
        "run what was written": ["call", mprotect, 0, 4096, 4],
    }
    outcomes = tried(list(attempts.values()), user=os.geteuid())
    assert dict(zip(attempts, outcomes, strict=True)) == dict.fromkeys(attempts, "EPERM")


@pytest.mark.parametrize("user", users())
def test_root_cannot_allow_itself_more_memory(user: int) -> None:
    [outcome] = tried([["allow more memory"]], user=user)
    assert outcome == "not allowed to raise maximum limit"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have one way in")
def test_a_call_in_another_machines_way_ends_the_process() -> None:
    assert tried([["call in another way"]], user=os.geteuid()) == ["SIGSYS"]
