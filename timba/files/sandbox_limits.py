"""Takes the rights of this process away, which it cannot take back.

Behind these protections there are no other processes, no network and no signals to others, and no
file can be opened, made, changed or removed. Each of them holds without the others.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Final

from timba.files.seccomp import install_seccomp_filter

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every kind of machine
_ASK_VERSION: Final = 1
# How many rights to files each version knows, from the first on; later ones know no more.
_FILE_RIGHTS: Final = (13, 14, 15, 15, 16)
_KNOWS_NETWORK, _KNOWS_SCOPES = 4, 6
# To listen on TCP and to connect; abstract sockets and signals of processes outside.
_NETWORK_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11

_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522


def drop_privileges() -> None:
    """Give up root's capabilities and every way to new ones; raise OSError where that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses no_new_privs")
    this_process = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(this_process, none) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses to drop capabilities")


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    ]


def restrict_files() -> None:
    """Let this process open no file for the rest of its life; what is open stays open.

    It reaches neither the network nor other processes, where the kernel can keep it from them.
    Raises OSError where the kernel has no Landlock. `no_new_privs` must have been set.
    """
    version = _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    handled = _Ruleset(
        files=(1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1,
        network=_NETWORK_RIGHTS if version >= _KNOWS_NETWORK else 0,
        scopes=_SCOPES if version >= _KNOWS_SCOPES else 0,
    )
    # Whatever is handled and that no rule allows is forbidden, and there is no rule.
    size = ctypes.c_size_t(ctypes.sizeof(handled))
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), size, ctypes.c_uint32(0))
    try:
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses Landlock")
    return result


# In this order: after the last one, the calls of the others are refused.
PROTECTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "privileges": drop_privileges,
    "landlock": restrict_files,
    "seccomp": install_seccomp_filter,
}


def lock_down() -> tuple[str, ...]:
    """Put every protection in place; return the names of those that could not be."""
    missing = []
    for name, protect in PROTECTIONS.items():
        try:
            protect()
        except OSError:
            missing.append(name)
    return tuple(missing)
