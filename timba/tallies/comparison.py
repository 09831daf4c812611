"""Compares the logs of a sheet with those that exist: which are new, unchanged, or contradict one.

A log is identified by its barcode, so that the same sheet, or a corrected one, can be uploaded
again. Barcodes that look alike are the same barcode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timba.consignments.barcode_text import barcode_key
from timba.consignments.barcodes import find_logs_by_key
from timba.consignments.measures import PLAUSIBLE
from timba.consignments.models import Consignment, Log
from timba.tallies.parsing import RejectedRow, SheetLog, format_row
from timba.tallies.words.vocabulary import BARCODE, MEASURES


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The logs of a sheet, compared with the logs that exist: new, unchanged or rejected."""

    new: Sequence[SheetLog]
    unchanged: int
    rejected: Sequence[RejectedRow]


def compare(
    client_id: int, consignment: Consignment | None, logs: Sequence[SheetLog]
) -> Comparison:
    """Compare logs with those of a client; a log without a barcode gets a new one, so it is new.

    Without a consignment, as in a dry run before one is chosen, every log that exists is another's.
    """
    keys = {barcode_key(log.barcode): log for log in logs if log.barcode is not None}
    existing_logs = find_logs_by_key(client_id, keys)
    own_id = None if consignment is None else consignment.pk
    other_ids = {log.consignment_id for log in existing_logs.values()} - {own_id}
    names = dict(Consignment.unscoped.filter(pk__in=other_ids).values_list("pk", "name"))
    new, rejected = [], []
    for log in logs:
        existing = None if log.barcode is None else existing_logs.get(barcode_key(log.barcode))
        if existing is None:
            new.append(log)
        elif errors := _find_conflicts(log, existing, names):
            text = format_row([log.barcode, *log.measures.values()])
            rejected.append(RejectedRow(table=log.table, row=log.row, errors=errors, text=text))
    unchanged = len(logs) - len(new) - len(rejected)
    return Comparison(new=new, unchanged=unchanged, rejected=rejected)


def _find_conflicts(log: SheetLog, existing: Log, names: Mapping[int, str]) -> dict[str, str]:
    """Return a sentence for each field in which a log of a sheet contradicts the existing one.

    `names` are those of other consignments by id.
    """
    if existing.consignment_id in names:
        name = names[existing.consignment_id]
        sentence = f"The log “{existing.barcode}” is in the consignment “{name}” already."
        return {BARCODE: sentence}
    return {
        measure: (
            f"The log “{existing.barcode}” has the {measure} "
            f"{getattr(existing, measure).normalize():f} {PLAUSIBLE[measure].unit} already; "
            f"the sheet says {log.measures[measure].normalize():f} {PLAUSIBLE[measure].unit}."
        )
        for measure in MEASURES
        if getattr(existing, measure) != log.measures[measure]
    }
