"""Datagrams wake the listeners of a machine."""

from __future__ import annotations

import threading
import time

from timba.wakeup.datagrams import DatagramListener, notify


def test_a_notification_wakes_every_listener() -> None:
    listeners = [DatagramListener("test"), DatagramListener("test")]
    woken: list[int] = []

    def listen(listener: DatagramListener) -> None:
        listener.wait(120)
        woken.append(1)

    threads = [threading.Thread(target=listen, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    notify("test")
    for thread in threads:
        thread.join(timeout=60)
    for listener in listeners:
        listener.close()
    assert len(woken) == 2


def test_notifications_before_the_wait_count_as_one() -> None:
    listener = DatagramListener("test")
    for _ in range(5):
        notify("test")
    listener.wait(30)
    started = time.monotonic()
    listener.wait(0.2)
    listener.close()
    assert time.monotonic() - started >= 0.2


def test_a_notification_without_listeners_does_not_fail() -> None:
    notify("nobody listens here")


def test_a_ninth_listener_polls() -> None:
    listeners = [DatagramListener("test") for _ in range(9)]
    listeners[-1].wait(0.01)
    for listener in listeners:
        listener.close()
