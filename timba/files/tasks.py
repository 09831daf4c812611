"""The doorbell and the shell around processing: rows say what to do, bells say "look again".

With a broker, a bell is a Celery message; without one, a datagram to `manage.py work`. A bell that
is lost, late or rung twice does no harm.
"""

from __future__ import annotations

import fcntl
import mmap
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import IO, Any, Final, ParamSpec

import structlog
from billiard import current_process
from celery import shared_task
from celery.signals import celeryd_after_setup, worker_process_init, worker_shutting_down
from django.conf import settings

from timba import wakeup
from timba.db.outages import database_errors, is_database_outage, log_outage
from timba.failpoints import failpoint
from timba.files.models import File
from timba.files.processing import process_claimed
from timba.files.processors.base import FAST
from timba.files.scheduling import QUEUES, Slots, next_waiting
from timba.files.sweeping import claim_unnotified, sweep_files

BELL: Final = "work"
_RING_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)
P = ParamSpec("P")


class Stopping:
    """Set in a Celery worker's main process, and seen by all that it has forked.

    One byte that they share, without a lock: a signal's handler sets it, and whoever is killed
    while looking at it keeps nobody waiting.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def is_set(self) -> bool:
        return self._byte[0] == 1


class _ProcessLock:
    """Held by one of the processes that have the same file open; no lock between threads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)


@dataclass(slots=True)
class _Worker:
    """This Celery worker."""

    slots: Slots


_stopping: Final = Stopping()
_worker: Final = _Worker(Slots(1))


class TaskBroken(Exception):
    """A task ended in a way that would have ended its worker with it."""


def log_exceptions(task: Callable[P, None]) -> Callable[P, None]:
    """Let a task fail alone: the last three, as they are, would end the whole worker.

    Without its database a task does nothing: the row waits, and is found by the next sweep.
    """

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            task(*args, **kwargs)
        except database_errors() as problem:
            if not is_database_outage(problem):
                raise
            log_outage(problem)
        except (MemoryError, RecursionError, SystemExit) as failure:
            raise TaskBroken(repr(failure)) from failure

    return run


def notify_workers(file_ids: Sequence[uuid.UUID]) -> None:
    """Say that these files wait, within some two seconds; never raise: the sweeper rings again."""
    failpoint("tasks.bell_due")
    if not settings.BROKER_URL:
        wakeup.notify(BELL)
        return
    deadline = time.monotonic() + _RING_SECONDS
    queues = File.unscoped.filter(pk__in=file_ids).values_list("pk", "queue")
    for file_id, queue in queues.order_by("uploaded_at"):
        if time.monotonic() > deadline:
            return
        try:
            process.apply_async((str(file_id), queue), queue=queue)
        except Exception:  # noqa: BLE001 - whatever ails the broker, the upload is safe
            _log.warning("bell_not_rung", file_id=str(file_id), exc_info=True)
            return


@shared_task(name="timba.files.tasks.process")
@log_exceptions
def process(_: str, queue: str = FAST) -> None:
    """Process the file whose turn it is in the queue: not always the one that was rung for.

    A message that comes while the last free slot is kept for other clients is spent in vain: so
    whoever has processed a file sends another one, while files wait.
    """
    slot = getattr(current_process(), "index", 0)
    file = _worker.slots.claim(slot, queues=[queue])
    if file is None:
        return
    try:
        process_claimed(file, stopping=_stopping)
    finally:
        _worker.slots.free(slot)
    waiting = next_waiting(queues=[queue])
    if waiting is not None and not _stopping.is_set():
        notify_workers([waiting])


@celeryd_after_setup.connect
def share_slots(instance: Any, **_: Any) -> None:
    """Give a Celery worker's child processes, which are forked later, one memory of their slots."""
    count = max(1, instance.concurrency)
    # POSIX locks: the system takes them from whoever is killed while holding one.
    shared = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker
    size = 8 * (count + 1)
    shared.truncate(size)
    memory = memoryview(mmap.mmap(shared.fileno(), size)).cast("q")
    _worker.slots = Slots(count, memory=memory, lock=_ProcessLock(shared))


@worker_process_init.connect
def free_slot(**_: Any) -> None:
    """Take over the slot of a child process that has died, perhaps with a file in work."""
    _worker.slots.free(getattr(current_process(), "index", 0))


@worker_shutting_down.connect
def give_back_files(**_: Any) -> None:
    """Have files in hand given back unharmed: a restart is no fault of theirs."""
    _stopping.set()


@shared_task(name="timba.files.tasks.sweep")
@log_exceptions
def sweep() -> None:
    """Remove debris, end what is lost, and ring again for files whose bell was lost."""
    sweep_files()
    for queue in QUEUES:
        notify_workers(claim_unnotified(queue=queue, bells=queued_messages(process.app, [queue])))


def queued_messages(app: Any, queues: Iterable[str]) -> int:
    """Return how many messages the broker still holds: their files need no other one."""
    with app.connection_for_read() as connection:
        return sum(_messages_in(queue, connection) for queue in queues)


def _messages_in(queue: str, connection: Any) -> int:
    # Declared, not asked for: behind a key prefix, kombu finds that no queue of Redis exists.
    declared = connection.default_channel.queue_declare(queue, durable=True, auto_delete=False)
    return int(declared.message_count)
