"""Keeps a consignment as it is until a transaction ends.

Whoever adds a log, or ties a file or a note to a consignment, locks it before any other row: its
totals stay exact, and nothing is tied to what somebody deletes at this moment. The order is always
consignment, file or note, counter of barcodes, stream of events.
"""

from __future__ import annotations

from timba.consignments.models import Consignment, Log
from timba.errors import NotFound


def lock_consignment(consignment: Consignment) -> Consignment:
    """Return it as it is now, locked; raise NotFound when it has been deleted."""
    return Consignment.unscoped.select_for_update().get_or_not_found(pk=consignment.pk)


def lock_log(log: Log) -> tuple[Consignment, Log]:
    """Return a log as it is now, and its consignment; locked, that keeps all its logs.

    Raises NotFound when the log has been deleted, alone or with its consignment.
    """
    consignments = Consignment.unscoped.select_for_update()
    consignment = consignments.filter(pk=log.consignment_id).first()
    found = Log.unscoped.filter(pk=log.pk).first()
    if consignment is None or found is None:
        raise NotFound("There is no such log.")
    return consignment, found


def lock_targets(consignment: Consignment | None, log: Log | None = None) -> None:
    """Keep both from being deleted; raise NotFound where one has been."""
    wanted = {consignment.pk} if consignment is not None else set()
    if log is not None:
        wanted.add(log.consignment_id)
    rows = Consignment.unscoped.select_for_update().filter(pk__in=wanted).order_by("pk")
    held = set(rows.values_list("pk", flat=True)) if wanted else set()
    if consignment is not None and consignment.pk not in held:
        raise NotFound("There is no such consignment.")
    if log is not None and not Log.unscoped.filter(pk=log.pk, consignment_id__in=held).exists():
        raise NotFound("There is no such log.")
