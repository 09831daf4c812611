"""The doorbell and the shell around processing: rows say what to do, bells say "look again".

With a broker, a bell is a Celery message; without one, a datagram to `manage.py work`. A bell that
is lost, late or rung twice does no harm.
"""

from __future__ import annotations

import mmap
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec

import structlog
from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import Error

from timba import bell
from timba.failpoints import failpoint
from timba.files.catalogue import processors
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.sweeping import sweep_files, take_unrung
from timba.outages import is_database_outage, log_outage

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


_stopping: Final = Stopping()


class TaskBroken(Exception):
    """A task ended in a way that would have ended its worker with it."""


def contained(task: Callable[P, None]) -> Callable[P, None]:
    """Let a task fail alone: the last three, as they are, would end the whole worker.

    Without its database a task does nothing: the row waits, and is found by the next sweep.
    """

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            task(*args, **kwargs)
        except Error as problem:
            if not is_database_outage(problem):
                raise
            log_outage(problem)
        except (MemoryError, RecursionError, SystemExit) as failure:
            raise TaskBroken(repr(failure)) from failure

    return run


def ring(file_ids: Sequence[uuid.UUID]) -> None:
    """Say that these files wait, within some two seconds; never raise: the sweeper rings again."""
    failpoint("tasks.bell_due")
    if not settings.BROKER_URL:
        bell.ring(BELL)
        return
    deadline = time.monotonic() + _RING_SECONDS
    kinds = File.unscoped.filter(pk__in=file_ids).values_list("pk", "kind")
    for file_id, kind in kinds.order_by("uploaded_at"):
        if time.monotonic() > deadline:
            return
        try:
            process.apply_async((str(file_id),), queue=processors()[kind].queue)
        except Exception:  # noqa: BLE001 - whatever ails the broker, the upload is safe
            _log.warning("bell_not_rung", file_id=str(file_id), exc_info=True)
            return


@shared_task(name="timba.files.tasks.process")
@contained
def process(file_id: str) -> None:
    """Process one file, if it still waits."""
    process_file(uuid.UUID(file_id), stopping=_stopping)


@worker_shutting_down.connect
def give_back_files(**_: Any) -> None:
    """Have files in hand given back unharmed: a restart is no fault of theirs."""
    _stopping.set()


@shared_task(name="timba.files.tasks.sweep")
@contained
def sweep() -> None:
    """Remove debris, end what is lost, and ring again for files whose bell was lost."""
    sweep_files()
    queues = {processor.queue for processor in processors().values()}
    ring(take_unrung(bells=bells_hanging(process.app, queues)))


def bells_hanging(app: Any, queues: Iterable[str]) -> int:
    """Return how many messages the broker still holds: their files need no other one."""
    with app.connection_for_read() as connection:
        return sum(_messages_in(queue, connection) for queue in queues)


def _messages_in(queue: str, connection: Any) -> int:
    # Declared, not asked for: behind a key prefix, kombu finds that no queue of Redis exists.
    declared = connection.default_channel.queue_declare(queue, durable=True, auto_delete=False)
    return int(declared.message_count)
