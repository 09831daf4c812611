"""Takes rights away from the current process for the rest of its life.

Afterwards it can start no process, reach no network, signal no other process, and open, create,
change or delete no file. `lock_down` applies three protections, each of which works without the
others: dropped capabilities, Landlock, and the seccomp filter of `timba.files.seccomp`.

The sandbox child imports this module: nothing here needs Django or settings.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Final

from timba.files.seccomp import install_seccomp_filter

# From linux/prctl.h and linux/capability.h.
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522
# landlock_create_ruleset and landlock_restrict_self: the numbers are the same on every machine.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_GET_VERSION: Final = 1
# How many file rights each version of Landlock has, from version 1 on; later ones add none.
_FILE_RIGHTS: Final = (13, 14, 15, 15, 16)
_FIRST_VERSION_WITH_NETWORK, _FIRST_VERSION_WITH_SCOPES = 4, 6
# Bits: bind and connect a TCP socket; connect to abstract sockets and signal processes outside.
_NETWORK_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11


def lock_down() -> tuple[str, ...]:
    """Put every protection in place; return the names of those that could not be."""
    missing = []
    for name, protect in PROTECTIONS.items():
        try:
            protect()
        except OSError:
            missing.append(name)
    return tuple(missing)


def drop_privileges() -> None:
    """Drop root's capabilities and every way to gain new ones; raise OSError where that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses no_new_privs")
    this_process = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(this_process, none) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses to drop capabilities")


def restrict_filesystem() -> None:
    """Forbid this process to open files; files that are open stay open.

    Network and other processes are out of reach too, where the version of Landlock supports it.
    Raises OSError where the kernel has no Landlock. `no_new_privs` must be set before.
    """
    version = _landlock(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_GET_VERSION))
    handled = _RulesetAttributes(
        files=(1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1,
        network=_NETWORK_RIGHTS if version >= _FIRST_VERSION_WITH_NETWORK else 0,
        scopes=_SCOPES if version >= _FIRST_VERSION_WITH_SCOPES else 0,
    )
    # A handled right that no rule grants is forbidden, and there is no rule.
    size = ctypes.c_size_t(ctypes.sizeof(handled))
    ruleset = _landlock(_CREATE_RULESET, ctypes.byref(handled), size, ctypes.c_uint32(0))
    try:
        _landlock(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


class _RulesetAttributes(ctypes.Structure):
    """struct landlock_ruleset_attr: the rights that the ruleset handles."""

    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    ]


def _landlock(call: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(call), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses Landlock")
    return result


# In this order: the seccomp filter refuses the system calls of the others.
PROTECTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "privileges": drop_privileges,
    "landlock": restrict_filesystem,
    "seccomp": install_seccomp_filter,
}
