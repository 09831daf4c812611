"""Calls at the same moment, each in a thread and on a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def at_once(count: int, act: Callable[[int], Any], *, seconds: float = 120) -> list[Any]:
    """Call `act(0)` to `act(count - 1)` together; return what each returned or raised.

    Raises AssertionError if one of them takes longer than `seconds`.
    """
    outcomes: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            outcomes[number] = act(number)
        except Exception as error:  # noqa: BLE001 - for the test to judge
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number], daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    assert not any(thread.is_alive() for thread in threads), "a call did not end"
    return outcomes
