"""Listeners of a name share the thread that receives it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from timba.wakeup.subscription import SharedListener


def test_a_connection_at_once_wakes_the_first_listener() -> None:
    stopped = threading.Event()

    def receive(_name: str) -> Iterator[bool]:
        yield True
        while not stopped.wait(0.01):
            yield False

    listener = SharedListener("test", receive)
    waiting = threading.Thread(target=listener.wait, args=(600,), daemon=True)
    waiting.start()
    waiting.join(timeout=60)
    stopped.set()
    listener.close()
    assert not waiting.is_alive()
