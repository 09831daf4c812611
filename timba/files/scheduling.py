"""Decides which waiting file a worker claims next, so that no client blocks the others.

A worker has slots: the threads of the embedded worker, or the child processes of a Celery worker.
Scheduling is round-robin over clients; of one client, small files come first. Large files never
occupy all slots, and the last free slot is reserved for small files of a client that no other slot
works for.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, MutableSequence, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final

from django.db.models import BigIntegerField, CharField, QuerySet

from timba.db.compiled_queries import CompiledQuery
from timba.files.disk import has_space_to_work
from timba.files.leases import claim, waiting_files
from timba.files.models import File
from timba.files.processors.base import BULK, FAST

QUEUES: Final = (FAST, BULK)


def next_waiting(
    *, queues: Sequence[str] = QUEUES, after: int = 0, excluded: Collection[int] = ()
) -> uuid.UUID | None:
    """Return the id of the next file: of the client with the lowest id above `after`, then around.

    `after` is the client that was served last; the files of `excluded` clients are left out.
    """
    candidates = [first for queue in queues if (first := _first(queue, after, excluded))]
    # The sort is stable: of one client, the queue that is listed first comes first.
    candidates.sort(key=lambda first: (first[1] <= after, first[1]))
    return candidates[0][0] if candidates else None


def _first(queue: str, after: int, excluded: Collection[int]) -> tuple[uuid.UUID, int] | None:
    """Return the ids of a queue's next file and of its client."""
    for start in (after, 0):
        while rows := _first_above.fetch(queue, start):
            file_id, client_id = rows[0]
            if client_id not in excluded:
                return file_id, client_id
            start = client_id  # noqa: PLW2901 - one index lookup per client, however many files it has
    return None


def _build_first(queue: str, client_id: int) -> QuerySet[File, Any]:
    waiting = waiting_files().filter(queue=queue, client_id__gt=client_id)
    return waiting.order_by("client_id", "uploaded_at").values_list("pk", "client_id")[:1]


_first_above = CompiledQuery(_build_first, CharField(), BigIntegerField())


class Slots:
    """The slots of one worker, and the client that each of them works for.

    `memory` holds the id of the client that was served last, then one number per slot: the id of
    its client, negated for a large file, or 0 where the slot is free. Processes that share `memory`
    pass a `lock` that works between them.
    """

    def __init__(
        self,
        count: int,
        *,
        bulk: int | None = None,
        memory: MutableSequence[int] | memoryview[int] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Create `count` slots, of which at most `bulk` process large files at the same time."""
        self._count = count
        self._bulk = count if bulk is None else bulk
        self._memory = [0] * (count + 1) if memory is None else memory
        self._lock = Lock() if lock is None else lock

    def claim(self, slot: int, *, queues: Sequence[str] = QUEUES) -> File | None:
        """Claim the next file for a free slot, which is busy until `free`.

        None is claimed while a disk of this machine is full: the files wait.
        """
        if not has_space_to_work():
            return None
        with self._lock:
            busy = [client for client in self._memory[1 : self._count + 1] if client]
            excluded: set[int] = set()
            if FAST in queues:
                if sum(client < 0 for client in busy) >= self._bulk:
                    queues = (FAST,)
                if 0 < len(busy) == self._count - 1:
                    queues, excluded = (FAST,), {abs(client) for client in busy}
            while file_id := next_waiting(queues=queues, after=self._memory[0], excluded=excluded):
                file = claim(file_id)
                if file is not None:
                    self._memory[0] = file.owner_id
                    sign = -1 if file.queue == BULK else 1
                    self._memory[slot + 1] = sign * file.owner_id
                    return file
        return None

    def free(self, slot: int) -> None:
        """Mark a slot as free."""
        self._memory[slot + 1] = 0
