"""The Celery tasks around processing, and the notifications that wake workers.

The rows say what is to be done; a notification only makes a worker query them. With a broker it is
a Celery message, without one a datagram to `timba work`. A notification that is lost, late or
duplicated does no harm.
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
from celery.signals import (
    celeryd_after_setup,
    task_prerun,
    worker_process_init,
    worker_shutting_down,
)
from django.conf import settings
from django.db import close_old_connections

from timba import wakeup
from timba.db.errors import database_errors, is_database_outage, log_outage
from timba.failpoints import failpoint
from timba.files.models import File
from timba.files.processing import process_claimed
from timba.files.processors.base import FAST
from timba.files.scheduling import QUEUES, Slots, next_waiting
from timba.files.sweeping import claim_unnotified, sweep_files

WORK_CHANNEL: Final = "work"
# An upload waits no longer than this for the broker.
_NOTIFY_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)
P = ParamSpec("P")


class SharedFlag:
    """An event that a Celery worker's main process sets and its forked children see.

    It is one byte of shared memory without a lock: a signal handler may set it, and a process that
    is killed while reading it blocks no other.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def is_set(self) -> bool:
        return self._byte[0] == 1


class _ProcessLock:
    """A lock between processes that have the same file open; it does not lock between threads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)


@dataclass(slots=True)
class _Worker:
    """The state of this Celery worker."""

    slots: Slots


_stopping: Final = SharedFlag()
_worker: Final = _Worker(Slots(1))


class TaskFailed(Exception):
    """A task raised an exception that would have ended its worker."""


def log_exceptions(task: Callable[P, None]) -> Callable[P, None]:
    """Keep a task's exceptions from ending the worker.

    MemoryError, RecursionError and SystemExit, which would end it, become TaskFailed. A database
    outage is logged: the row waits, and the next sweep finds it.
    """

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            task(*args, **kwargs)
        except database_errors() as error:
            if not is_database_outage(error):
                raise
            log_outage(error)
        except (MemoryError, RecursionError, SystemExit) as error:
            raise TaskFailed(repr(error)) from error

    return run


def notify_workers(file_ids: Sequence[uuid.UUID]) -> None:
    """Notify workers that these files wait, within some two seconds.

    Raises nothing: the sweeper notifies again of files whose notification was not sent.
    """
    failpoint("tasks.notification_due")
    if not settings.BROKER_URL:
        wakeup.notify(WORK_CHANNEL)
        return
    deadline = time.monotonic() + _NOTIFY_SECONDS
    queues = File.unscoped.filter(pk__in=file_ids).values_list("pk", "queue")
    for file_id, queue in queues.order_by("uploaded_at"):
        if time.monotonic() > deadline:
            return
        try:
            process.apply_async((str(file_id), queue), queue=queue)
        except Exception:  # noqa: BLE001 - no failure of the broker may fail the upload
            _log.warning("notification_failed", file_id=str(file_id), exc_info=True)
            return


@shared_task(name="timba.files.tasks.process")
@log_exceptions
def process(_: str, queue: str = FAST) -> None:
    """Process the next file of the queue, which need not be the one that the message names.

    A message that arrives while the last free slot is reserved for other clients has no effect.
    Therefore each processed file is followed by another message as long as files wait. So is one
    that was released because this worker shuts down: another starts it again at once.
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
    if waiting is not None:
        notify_workers([waiting])


@shared_task(name="timba.files.tasks.sweep")
@log_exceptions
def sweep() -> None:
    """Clean up after crashes, and notify again of waiting files whose messages were lost."""
    sweep_files()
    for queue in QUEUES:
        queued = queued_messages(process.app, [queue])
        notify_workers(claim_unnotified(queue=queue, queued_messages=queued))


def queued_messages(app: Any, queues: Iterable[str]) -> int:
    """Return how many messages the broker holds in these queues."""
    with app.connection_for_read() as connection:
        return sum(_messages_in(queue, connection) for queue in queues)


def _messages_in(queue: str, connection: Any) -> int:
    # Declared because kombu, with a key prefix, takes every queue of Redis for missing.
    declared = connection.default_channel.queue_declare(queue, durable=True, auto_delete=False)
    return int(declared.message_count)


@task_prerun.connect
def check_connection(**_: Any) -> None:
    """Replace a connection to the database that no longer works, as Django does for a request."""
    close_old_connections()


@celeryd_after_setup.connect
def share_slots(instance: Any, **_: Any) -> None:
    """Put a Celery worker's slots into memory that its child processes, forked later, share."""
    count = max(1, instance.concurrency)
    # With POSIX locks: the kernel releases those of a process that is killed.
    shared = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker
    size = 8 * (count + 1)
    shared.truncate(size)
    memory = memoryview(mmap.mmap(shared.fileno(), size)).cast("q")
    _worker.slots = Slots(count, memory=memory, lock=_ProcessLock(shared))


@worker_process_init.connect
def free_slot(**_: Any) -> None:
    """Free the slot of the child process that this one replaces, which may have died at work."""
    _worker.slots.free(getattr(current_process(), "index", 0))


@worker_shutting_down.connect
def release_files(**_: Any) -> None:
    """Make the child processes release their files, without counting the attempt."""
    _stopping.set()
