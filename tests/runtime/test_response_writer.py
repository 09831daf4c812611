"""The connection of a caller that does not read its response is closed."""

from __future__ import annotations

import socket
from pathlib import Path

from timba.runtime.response_writer import ResponseWriter


def test_the_connection_of_a_caller_that_does_not_read_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        caller = socket.create_connection(server.getsockname())
        other = socket.create_connection(server.getsockname())
        with caller, other, server.accept()[0] as first, server.accept()[0] as second:
            before = len(list(Path("/proc/self/fd").iterdir()))
            ResponseWriter({"client": caller.getsockname()}, None, None).abort()  # type: ignore[arg-type]
            assert len(list(Path("/proc/self/fd").iterdir())) == before
            assert caller.recv(1) == b""
            second.sendall(b"a")
            assert other.recv(1) == b"a"
            assert first.fileno() > 0
