"""Takes the rights of this process away, which it cannot take back.

Behind these protections there are no other processes, no network and no signals to others, and no
file can be opened, made, changed or removed. Each of them holds without the others.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Final

from timba.files.landlock import restrict_files
from timba.files.seccomp import install_seccomp_filter

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
