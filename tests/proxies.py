"""A small TCP proxy that goes wrong on command: it cuts, and it can be told to cut off late."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Stands on a free loopback port before a server; cuts the next connections off."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts_left = 0
        self.cuts_made = 0
        self._cut_after = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()

    def cut(self, times: int, *, after: int) -> None:
        """Cut the next answers off, once each has had so many bytes."""
        self.cuts_left, self.cuts_made, self._cut_after = times, 0, after

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [caller, server]
            for source, target, answers in ((caller, server, False), (server, caller, True)):
                thread = threading.Thread(target=self._carry, args=(source, target, answers))
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(64 * 1024):
                carried += len(data)
                if answers and carried > self._cut_after and self._takes_a_cut():
                    break
                target.sendall(data)
        _end(source)
        _end(target)

    def _takes_a_cut(self) -> bool:
        with self._lock:
            if not self.cuts_left:
                return False
            self.cuts_left -= 1
            self.cuts_made += 1
            return True


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
