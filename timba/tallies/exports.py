"""Makes the file of a consignment's export: all of it lies on disk before its first byte is sent.

Logs are read in short queries, and written by a process of their own where they are many.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

import structlog
from django.conf import settings
from django.utils import timezone

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.errors import Unavailable
from timba.isolated_python import isolated_python
from timba.places.models import City
from timba.tallies.export_child import write_spool, writer_of
from timba.tallies.export_slots import export_slot, export_thread
from timba.tallies.facts import Tally, TallyLog

# So few are written by the thread that was asked; more by a process of their own, which does not
# take turns with everybody's answers. Of the large ones two are made at a time.
FEW_LOGS: Final = 100
LARGE_FROM: Final = 1001
FAILED: Final = "The export could not be made just now. Try again in a moment."
_AT_ONCE: Final = 1000
# How often the logs are read anew, where some came or went meanwhile.
_ATTEMPTS: Final = 3
_SECONDS: Final = 600
_START_CHILD: Final = "from timba.tallies.export_child import main; main()"
_log = structlog.get_logger(__name__)


def visible_consignment(actor: User, pk: int) -> Consignment:
    """Return a consignment that `actor` may see, with its client; raise NotFound."""
    consignments = Consignment.objects.visible_to(actor).select_related("client")
    return consignments.get_or_not_found(pk=pk)


def export(*, actor: User, consignment: Consignment, ending: str) -> BinaryIO:
    """Return the export of a consignment, positioned at its end, as a file without a name.

    Raises Unavailable where too many are being made, or there is no room for it.
    """
    with export_thread(consignment.client_id):
        try:
            out = _nameless()
            try:
                _write(actor, consignment, ending, out)
            except BaseException:
                out.close()
                raise
        except (OSError, subprocess.SubprocessError) as problem:
            said = getattr(problem, "stderr", None) or b""
            _log.exception("export_failed", said=said[-2000:].decode(errors="replace"))
            raise Unavailable(FAILED) from None
    return out


def _write(actor: User, consignment: Consignment, ending: str, out: BinaryIO) -> None:
    if consignment.log_count <= FEW_LOGS:
        logs = list(_logs(actor, consignment))
        writer_of(ending)(_tally(consignment, logs), out)
    elif consignment.log_count < LARGE_FROM:
        _write_elsewhere(actor, consignment, ending, out)
    else:
        with export_slot(consignment.client_id) as slot:
            _write_elsewhere(actor, consignment, ending, out, slot)
    out.seek(0, os.SEEK_END)


def _write_elsewhere(
    actor: User, consignment: Consignment, ending: str, out: BinaryIO, *inherited: int
) -> None:
    with _nameless() as spool:
        _spool(actor, consignment, spool)
        spool.seek(0)
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [*isolated_python(_START_CHILD), ending],
            stdin=spool,
            stdout=out,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            timeout=_SECONDS,
            pass_fds=inherited,
            check=True,
        )


def _spool(actor: User, consignment: Consignment, spool: BinaryIO) -> None:
    """Write the consignment as it is at one moment, without a transaction that lasts.

    Whatever changes its logs changes its row too. Where that never stops, what was read last is
    told: its total is the one of the logs that are in it.
    """
    for _ in range(_ATTEMPTS):
        spool.seek(0)
        spool.truncate()
        write_spool(_tally(consignment, []), _logs(actor, consignment), spool)
        now = visible_consignment(actor, consignment.pk)
        if now.updated_at == consignment.updated_at:
            break
        consignment = now
    spool.flush()


def _logs(actor: User, consignment: Consignment) -> Iterator[TallyLog]:
    """Yield the logs in the order of arrival, so many with each query."""
    rows = Log.objects.visible_to(actor).filter(consignment=consignment).order_by("pk")
    last = 0
    while True:
        some = list(rows.filter(pk__gt=last).values_list("pk", *TallyLog._fields)[:_AT_ONCE])  # noqa: SLF001 - a named tuple's own
        for _, *values in some:
            yield TallyLog(*values)
        if len(some) < _AT_ONCE:
            return
        last = some[-1][0]


def _tally(consignment: Consignment, logs: list[TallyLog]) -> Tally:
    return Tally(
        client=consignment.client.name,
        name=consignment.name,
        type=consignment.type,
        vehicle_number=consignment.vehicle_number,
        city=_city(consignment),
        opened_at=consignment.created_at,
        exported_at=timezone.now(),
        logs=logs,
    )


def _city(consignment: Consignment) -> str:
    if consignment.city_id is None:
        return ""
    number = consignment.city_id
    names = City.unscoped.names(client_id=consignment.client_id, numbers=[number])
    return f"{names[number]} ({number})" if number in names else str(number)


def _nameless() -> BinaryIO:
    return cast("BinaryIO", tempfile.TemporaryFile(dir=settings.TIMBA_DATA_DIR))
