"""Landlock protects on its own, without the seccomp filter."""

from __future__ import annotations

import ctypes
import os
import socket
import tempfile
from pathlib import Path

import pytest

from tests.files.sandbox_probe import attempt_all, users

ALONE = ("privileges", "landlock")


def version() -> int:
    """Return the version of Landlock that this kernel has."""
    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


@pytest.mark.parametrize("user", users())
def test_no_file_is_opened_created_or_deleted(user: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        kept = folder / "kept"
        kept.write_text("keep me")
        kept.chmod(0o666)
        attempts = [
            *(["open", path] for path in ("/etc/passwd", os.__file__, str(kept))),
            ["make", str(folder / "made")],
            ["remove", str(kept)],
        ]
        outcomes = attempt_all(attempts, user=user, protections=ALONE)
        assert outcomes == ["EACCES"] * len(attempts)
        assert [path.read_text() for path in folder.iterdir()] == ["keep me"]


def test_neither_network_nor_parent_is_reachable_where_the_kernel_supports_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0timba-test-{os.getpid()}")
        abstract.listen()
        attempts = [
            ["connect", server.getsockname()[1]],
            ["connect abstract", f"timba-test-{os.getpid()}"],
            ["signal", os.getpid()],
        ]
        outcomes = attempt_all(attempts, user=os.geteuid(), protections=ALONE)
    assert outcomes == [
        "EACCES" if version() >= 4 else "done",
        *["EPERM" if version() >= 6 else "done"] * 2,
    ]
