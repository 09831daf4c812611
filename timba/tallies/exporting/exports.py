"""Exports a consignment as CSV, XLSX or PDF; the file is complete on disk before it is sent.

Logs are read with short queries instead of one long transaction. A few are written by the thread
that serves the request, more by a child process. Exports that run at once are limited: a few
threads in each process, and two large exports on a machine.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

import structlog
from django.conf import settings
from django.utils import timezone

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.db.errors import is_disk_full
from timba.errors import DiskFull, Unavailable
from timba.isolated_python import isolated_python
from timba.places.models import City
from timba.tallies.exporting.export_child import get_writer
from timba.tallies.exporting.font_files import are_packaged
from timba.tallies.exporting.tally import Tally, TallyLog, write_spool

# Up to so many logs are written by the thread itself. A child process writes more without holding
# this process's interpreter lock; from LARGE_MIN_LOGS on, only a few may run on a machine at once.
INLINE_MAX_LOGS: Final = 100
LARGE_MIN_LOGS: Final = 1001
LARGE_EXPORT_SLOTS: Final = 2
WAIT_SECONDS: Final = 10.0
BUSY: Final = "Other exports are being made just now. Try again in a moment."
FAILED: Final = "The export could not be made just now. Try again in a moment."
# Logs read with each query.
_BATCH_SIZE: Final = 1000
# How often the logs are read at most if they change meanwhile.
_MAX_ATTEMPTS: Final = 3
_TIMEOUT_SECONDS: Final = 600
_POLL_SECONDS: Final = 0.1
_START_CHILD: Final = "from timba.tallies.exporting.export_child import main; main()"
_threads: Final[Counter[int]] = Counter()
_threads_lock: Final = threading.Lock()
_log = structlog.get_logger(__name__)


def get_visible_consignment(actor: User, pk: int) -> Consignment:
    """Return a consignment that `actor` may see, with its client; raise NotFound."""
    consignments = Consignment.objects.visible_to(actor).select_related("client")
    return consignments.get_or_not_found(pk=pk)


def export_tally(
    *, actor: User, consignment: Consignment, extension: str, decimal: str = "."
) -> BinaryIO:
    """Return the export of a consignment as an unnamed file, positioned at its end.

    `extension` is `csv`, `xlsx` or `pdf`, `decimal` the decimal separator of a CSV. Raises
    Unavailable if too many exports are being made, or if this one fails, and DiskFull.
    """
    with export_thread_slot(consignment.client_id):
        try:
            out = _temporary_file()
            try:
                _write(actor, consignment, (extension, decimal), out)
            except BaseException:
                out.close()
                raise
        except (OSError, subprocess.SubprocessError) as error:
            if is_disk_full(error):
                raise DiskFull from error
            stderr = getattr(error, "stderr", None) or b""
            _log.exception("export_failed", stderr=stderr[-2000:].decode(errors="replace"))
            raise Unavailable(FAILED) from None
    return out


def _write(actor: User, consignment: Consignment, form: tuple[str, str], out: BinaryIO) -> None:
    tally = None
    if consignment.log_count <= INLINE_MAX_LOGS:
        tally = _build_tally(consignment, list(_read_logs(actor, consignment)))
    if tally is not None and _is_quickly_written(tally, form[0]):
        get_writer(*form)(tally, out)
    elif consignment.log_count < LARGE_MIN_LOGS:
        _write_in_child(actor, consignment, form, out)
    else:
        with large_export_slot(consignment.client_id) as slot:
            _write_in_child(actor, consignment, form, out, slot)
    out.seek(0, os.SEEK_END)


def _is_quickly_written(tally: Tally, extension: str) -> bool:
    """Whether a few logs are: a PDF is not, if it needs fonts that must be found and embedded."""
    return extension != "pdf" or are_packaged(tally.texts())


def _write_in_child(
    actor: User, consignment: Consignment, form: tuple[str, str], out: BinaryIO, *inherited: int
) -> None:
    """Write the export in a child process, which inherits these file descriptors."""
    with _temporary_file() as spool:
        _write_snapshot(actor, consignment, spool)
        spool.seek(0)
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [*isolated_python(_START_CHILD), *form],
            stdin=spool,
            stdout=out,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            timeout=_TIMEOUT_SECONDS,
            pass_fds=inherited,
            check=True,
        )


def _write_snapshot(actor: User, consignment: Consignment, spool: BinaryIO) -> None:
    """Write a consistent state of the consignment to a spool without a long transaction.

    Every change of its logs changes its row too, so an unchanged row proves a consistent read. If
    the logs keep changing, the last read is exported; its total is that of the logs in it.
    """
    for _ in range(_MAX_ATTEMPTS):
        spool.seek(0)
        spool.truncate()
        write_spool(_build_tally(consignment, []), _read_logs(actor, consignment), spool)
        current = get_visible_consignment(actor, consignment.pk)
        if current.updated_at == consignment.updated_at:
            break
        consignment = current
    spool.flush()


def _read_logs(actor: User, consignment: Consignment) -> Iterator[TallyLog]:
    """Yield the logs, oldest first, with one query for each batch."""
    rows = Log.objects.visible_to(actor).filter(consignment=consignment).order_by("pk")
    last_pk = 0
    while True:
        batch = list(
            rows.filter(pk__gt=last_pk).values_list("pk", *TallyLog._fields)[:_BATCH_SIZE]  # noqa: SLF001 - public, in spite of its name
        )
        for _, *values in batch:
            yield TallyLog(*values)
        if len(batch) < _BATCH_SIZE:
            return
        last_pk = batch[-1][0]


def _build_tally(consignment: Consignment, logs: list[TallyLog]) -> Tally:
    return Tally(
        client=consignment.client.name,
        name=consignment.name,
        type=consignment.type,
        vehicle_number=consignment.vehicle_number,
        city=_format_city(consignment),
        time_zone=consignment.client.time_zone,
        opened_at=consignment.created_at,
        exported_at=timezone.now(),
        logs=logs,
    )


def _format_city(consignment: Consignment) -> str:
    if consignment.city_id is None:
        return ""
    number = consignment.city_id
    names = City.unscoped.names(client_id=consignment.client_id, numbers=[number])
    return f"{names[number]} ({number})" if number in names else str(number)


def _temporary_file() -> BinaryIO:
    return cast("BinaryIO", tempfile.TemporaryFile(dir=settings.TIMBA_DATA_DIR))


@contextmanager
def export_thread_slot(client_id: int) -> Iterator[None]:
    """Count this thread among those that make exports; raise Unavailable if there are too many.

    At most a quarter of the web threads of a process make exports, half of these for one client.
    """
    max_threads = max(1, settings.TIMBA_WEB_THREADS // 4)
    with _threads_lock:
        if _threads.total() >= max_threads or _threads[client_id] >= max(1, max_threads // 2):
            raise Unavailable(BUSY)
        _threads[client_id] += 1
    try:
        yield
    finally:
        with _threads_lock:
            _threads[client_id] -= 1
            if not _threads[client_id]:
                del _threads[client_id]


@contextmanager
def large_export_slot(client_id: int) -> Iterator[int]:
    """Hold one of the machine's two slots, and yield the file descriptor that holds it.

    The slots are kernel locks on bytes of one file: all processes see them, and a process that is
    killed leaves none behind. A client has at most one slot at a time. A child process that
    inherits the descriptor holds the slot for as long as it runs. Raises Unavailable if no slot
    becomes free within WAIT_SECONDS.
    """
    path = settings.TIMBA_DATA_DIR / "exports.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try_lock_slot(lock, client_id):
            _wait_for_slot(lock, client_id)
        yield lock
    finally:
        os.close(lock)


def _wait_for_slot(lock: int, client_id: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (remaining := deadline - time.monotonic()) > 0:
        time.sleep(min(_POLL_SECONDS, remaining))
        if _try_lock_slot(lock, client_id):
            return
    raise Unavailable(BUSY)


def _try_lock_slot(lock: int, client_id: int) -> bool:
    # The first bytes of the file are the slots; after them, each client has a byte of its own.
    client_byte = LARGE_EXPORT_SLOTS + client_id
    if not _lock_byte(lock, client_byte, fcntl.F_WRLCK):
        return False
    if any(_lock_byte(lock, slot, fcntl.F_WRLCK) for slot in range(LARGE_EXPORT_SLOTS)):
        return True
    _lock_byte(lock, client_byte, fcntl.F_UNLCK)
    return False


def _lock_byte(lock: int, byte: int, kind: int) -> bool:
    """Lock or unlock one byte, and return whether that succeeded.

    An open file description lock belongs to the open file, not to the process, so that threads
    exclude each other and child processes inherit it.
    """
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    return True
