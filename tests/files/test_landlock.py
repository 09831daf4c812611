"""Landlock protects on its own, without the seccomp filter."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

from tests.files.untrusted_code import attempt_all

ALONE = ("privileges", "landlock")


def version() -> int:
    """Return the version of Landlock that this kernel has."""
    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def test_no_file_is_opened_created_or_deleted(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("keep me")
    attempts = [
        *(f"open({path!r})" for path in ("/etc/passwd", os.__file__, str(kept))),
        f"open({str(tmp_path / 'new')!r}, 'x')",
        f"os.unlink({str(kept)!r})",
    ]
    assert attempt_all(attempts, protections=ALONE) == ["EACCES"] * len(attempts)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["keep me"]


def test_neither_network_nor_parent_is_reachable_where_the_kernel_supports_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0timba-test-{os.getpid()}")
        abstract.listen()
        attempts = [
            f"socket.socket().connect({server.getsockname()!r})",
            f"socket.socket(socket.AF_UNIX).connect({abstract.getsockname()!r})",
            f"os.kill({os.getpid()}, 0)",
        ]
        outcomes = attempt_all(attempts, protections=ALONE)
    assert outcomes == [
        "EACCES" if version() >= 4 else "done",
        *["EPERM" if version() >= 6 else "done"] * 2,
    ]
