"""A TCP proxy that truncates responses on request."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Forwards a free loopback port to a server; a context manager."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.remaining = 0
        self.truncations = 0
        self._limit = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()

    def truncate(self, times: int, *, after: int) -> None:
        """Close the next `times` connections after about `after` bytes of a response."""
        self.remaining, self.truncations, self._limit = times, 0, after

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            _close(connection)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            for source, target, is_response in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._forward, args=(source, target, is_response))
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, target: socket.socket, is_response: bool) -> None:
        forwarded = 0
        with contextlib.suppress(OSError):
            while data := source.recv(64 * 1024):
                forwarded += len(data)
                if is_response and forwarded > self._limit and self._takes_truncation():
                    break
                target.sendall(data)
        _close(source)
        _close(target)

    def _takes_truncation(self) -> bool:
        with self._lock:
            if not self.remaining:
                return False
            self.remaining -= 1
            self.truncations += 1
            return True


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
