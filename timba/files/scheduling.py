"""Decides which waiting file a worker takes next, so that no client waits for another one's work.

A worker has slots: the threads of the embedded one, the child processes of Celery's. Clients take
turns, and within a client the quick files come first. Large ones never fill all slots, and the last
free slot is kept for the quick files of a client that no other slot works for.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, MutableSequence, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final

from timba.files.models import File
from timba.files.processing import claim, waiting_files
from timba.files.processors.base import BULK, FAST

QUEUES: Final = (FAST, BULK)


def next_waiting(
    *, queues: Sequence[str] = QUEUES, after: int = 0, barred: Collection[int] = ()
) -> uuid.UUID | None:
    """Return the file whose turn it is: of the client that comes `after` the one served last.

    Clients that are `barred` have no turn.
    """
    found = [first for queue in queues if (first := _first(queue, after, barred))]
    # The sort is stable: of one client, the queue that is named first comes first.
    found.sort(key=lambda first: (first[1] <= after, first[1]))
    return found[0][0] if found else None


def _first(queue: str, after: int, barred: Collection[int]) -> tuple[uuid.UUID, int] | None:
    waiting = waiting_files().filter(queue=queue).order_by("client_id", "uploaded_at")
    for start in (after, 0):
        while first := waiting.filter(client_id__gt=start).values_list("pk", "client_id").first():
            if first[1] not in barred:
                return first
            start = first[1]  # noqa: PLW2901 - one look at the index, however many files it has
    return None


class Slots:
    """What the slots of one worker are busy with.

    `memory` holds the client that was served last, then the client of each slot: 0 where it is
    free, negative where it is busy with a large file. Processes share it, with a `lock` of theirs.
    """

    def __init__(
        self,
        count: int,
        *,
        bulk: int | None = None,
        memory: MutableSequence[int] | memoryview[int] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Take how many slots there are, and how many large files may be in work at once."""
        self._count = count
        self._bulk = count if bulk is None else bulk
        self._memory = [0] * (count + 1) if memory is None else memory
        self._lock = Lock() if lock is None else lock

    def claim(self, slot: int, *, queues: Sequence[str] = QUEUES) -> File | None:
        """Claim the file whose turn it is for a free slot, which is busy until `free`."""
        with self._lock:
            busy = [who for who in self._memory[1 : self._count + 1] if who]
            barred: set[int] = set()
            if FAST in queues:
                if sum(who < 0 for who in busy) >= self._bulk:
                    queues = (FAST,)
                if 0 < len(busy) == self._count - 1:
                    queues, barred = (FAST,), {abs(who) for who in busy}
            while file_id := next_waiting(queues=queues, after=self._memory[0], barred=barred):
                file = claim(file_id)
                if file is not None:
                    self._memory[0] = file.owner_id
                    sign = -1 if file.queue == BULK else 1
                    self._memory[slot + 1] = sign * file.owner_id
                    return file
        return None

    def free(self, slot: int) -> None:
        """Say that a slot has no file any more."""
        self._memory[slot + 1] = 0
