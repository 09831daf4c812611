"""A TCP proxy that breaks connections off, and does other harm, after given numbers of bytes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

# Closing then sends a reset, as a network that fails does.
_NO_LINGER = struct.pack("ii", 1, 0)
_READ_BYTES = 64 * 1024


class CuttingProxy:
    """Passes connections on to `port`; each of `harms` happens once so many bytes were sent to it.

    A harm breaks off the connection that reaches its number of bytes, after its function, if any.
    """

    def __init__(self, port: int, harms: dict[int, Callable[[], object] | None]) -> None:
        self._target = port
        self._harms = sorted(harms.items(), key=lambda harm: harm[0])
        self._lock = threading.Lock()
        self.sent = 0
        self.done = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                caller, _ = self._server.accept()
                threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        with caller, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as to:
            answers = threading.Thread(target=self._answer, args=(to, caller), daemon=True)
            answers.start()
            while data := caller.recv(_READ_BYTES):
                to.sendall(data)
                if self._is_cut(len(data)):
                    for end in (caller, to):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    return
            to.shutdown(socket.SHUT_WR)
            answers.join()

    def _answer(self, server: socket.socket, caller: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_READ_BYTES):
                caller.sendall(data)
            caller.shutdown(socket.SHUT_RDWR)

    def _is_cut(self, size: int) -> bool:
        with self._lock:
            self.sent += size
            if self.done == len(self._harms) or self.sent < self._harms[self.done][0]:
                return False
            harm = self._harms[self.done][1]
            self.done += 1
            if harm is not None:
                harm()
            return True
