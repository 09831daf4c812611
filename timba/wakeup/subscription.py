"""Receives notifications of a server in one thread, for all listeners of a name in this process.

While the server is unavailable, the thread tries to connect again, and listeners poll. After each
connection all of them are woken, because notifications may have been lost before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

import structlog

_RETRY_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)

# Connects to receive a name, then yields several times a second whether listeners are to be woken:
# True at first and after notifications. Raises what the server's driver raises.
Receive = Callable[[str], Iterator[bool]]


class _Subscription:
    """The thread that receives one name, and the events that it sets."""

    def __init__(self, name: str, receive: Receive, listener: threading.Event) -> None:
        # Before the thread starts, which may be connected at once.
        self.listeners = {listener}
        self._name = name
        self._receive = receive
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"wakeup-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect, and wait for that, but not for a server that does not answer."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        is_available = True
        while not self._stopping.is_set():
            try:
                for is_notified in self._receive(self._name):
                    is_available = True
                    if is_notified:
                        for woken in tuple(self.listeners):
                            woken.set()
                    if self._stopping.is_set():
                        return
            except Exception as error:  # noqa: BLE001 - nothing would restart a thread that ended
                if is_available:
                    _log.warning("wakeups_unavailable", reason=str(error).strip())
                is_available = False
                self._stopping.wait(_RETRY_SECONDS)


_subscriptions: Final[dict[str, _Subscription]] = {}
_lock: Final = threading.Lock()


class SharedListener:
    """One of the listeners of a name that share a connection."""

    def __init__(self, name: str, receive: Receive) -> None:
        self._name = name
        self._woken = threading.Event()
        with _lock:
            if name in _subscriptions:
                _subscriptions[name].listeners.add(self._woken)
            else:
                _subscriptions[name] = _Subscription(name, receive, self._woken)

    def wait(self, seconds: float) -> None:
        """Return when notified, or after `seconds`; pending notifications count as one."""
        self._woken.wait(seconds)
        self._woken.clear()

    def close(self) -> None:
        """Stop listening; the last listener of the name disconnects."""
        with _lock:
            subscription = _subscriptions[self._name]
            subscription.listeners.discard(self._woken)
            if not subscription.listeners:
                del _subscriptions[self._name]
                subscription.stop()
