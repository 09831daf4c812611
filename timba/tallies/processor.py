"""Adds the rows of an uploaded tally sheet as logs to the file's consignment.

A row is identified by its barcode, so the same sheet, or a corrected one, can be uploaded again: a
log that exists already is left unchanged. Rows that cannot become logs are rejects, reported by row
and cell and annotated in a copy of the workbook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

import structlog

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.barcode_text import barcode_key
from timba.consignments.barcodes import find_logs_by_key
from timba.consignments.measures import MAX_TOTAL_VOLUME, volume
from timba.consignments.models import Consignment, Log, lock_consignment
from timba.consignments.services import NewLog, add_logs
from timba.db.text import replace_unstorable
from timba.errors import Conflict, Forbidden, Lapsed, NotFound
from timba.files.models import Derivative, File
from timba.files.processors.base import (
    FileRefused,
    Findings,
    Job,
    Outdated,
    Processor,
    ReadResult,
)
from timba.files.rejects import FIRST_ERRORS, REJECTS_HEADER, RejectsWriter
from timba.files.sandbox import run_in_sandbox
from timba.tallies.annotate import ANNOTATED, annotate_values, annotate_workbook
from timba.tallies.columns import column_letters
from timba.tallies.decisions import USUAL_UNITS as UNIT_NAMES
from timba.tallies.parsing import (
    FIELDS,
    ROWS,
    WHOLE_ROW,
    RejectedRow,
    SheetLog,
    deserialize_rows,
    format_row,
)
from timba.tallies.reading import read_tally
from timba.tallies.vocabulary import BARCODE, MEASURES, PIECES

RESULT_FIELDS: Final = ("rows", "accepted", "rejected", "unchanged", "volume", "first_errors")

NO_CONSIGNMENT: Final = "It belongs to no consignment yet. Choose its consignment, then try again."
NO_UPLOADER: Final = "Its uploader is no longer a user here. Upload it again."
NOT_ALLOWED: Final = (
    "The uploader's role may not add logs. Ask a colleague with that permission to upload it."
)
LAPSED: Final = "The subscription has lapsed: the logs can be added once it is renewed."
TOO_MUCH: Final = (
    f"With its logs the consignment would hold more than {MAX_TOTAL_VOLUME:,} m³. Split it."
)
NO_ROWS: Final = "The sheet holds no log, only a header."

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The logs of a sheet, compared with the logs that exist: new, unchanged or rejected."""

    new: Sequence[SheetLog]
    unchanged: int
    rejected: Sequence[RejectedRow]


class TallyProcessor(Processor):
    """A sheet is compared with the logs that exist before its new ones are added."""

    extra_readers = (annotate_workbook, annotate_values)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        return stage_tally(job, result)

    def lock(self, findings: Findings) -> None:
        """Lock the consignment first, as every service does; raise Outdated when it is deleted."""
        try:
            lock_consignment(Consignment(pk=findings["consignment"]))
        except NotFound:
            raise Outdated from None


def stage_tally(job: Job, result: ReadResult) -> Findings:
    """Compare the sheet with the existing logs, and store its rejects and an annotated copy.

    Raises FileRefused if none of its rows is a log, or its uploader may not add logs.
    """
    file = File.unscoped.select_related("uploaded_by__role").get(pk=job.file_id)
    consignment = _consignment_of(file)
    if consignment is None:
        raise FileRefused(NO_CONSIGNMENT)
    _check_uploader(file.uploaded_by, consignment.client)
    if questions := result.findings["questions"]:
        raise FileRefused(questions[0]["sentence"], findings=result.findings)
    parsed = deserialize_rows(result.objects[ROWS])
    comparison = _compare(consignment, parsed.logs)
    added = sum((volume(**log.measures) for log in comparison.new), Decimal(0))
    if consignment.volume + added > MAX_TOTAL_VOLUME:
        raise FileRefused(TOO_MUCH)
    rejected = sorted([*parsed.rejected, *comparison.rejected], key=lambda row: row.row)
    [table, *_] = result.findings["tables"]
    columns: Mapping[str, int] = table["columns"]
    rejects = [(row.row, _reason(row, columns), replace_unstorable(row.text)) for row in rejected]
    if rejected:
        with job.derive(Derivative.Role.REJECTS) as out:
            RejectsWriter(out).add(rejects)
        _write_annotated_copy(job, rejected, sheet=table["sheet"], columns=columns)
    findings = {
        "rows": len(comparison.new) + comparison.unchanged + len(rejected),
        "accepted": len(comparison.new),
        "rejected": len(rejected),
        "unchanged": comparison.unchanged,
        "volume": added,
        "first_errors": [
            dict(zip(REJECTS_HEADER, reject, strict=True)) for reject in rejects[:FIRST_ERRORS]
        ],
    }
    if not comparison.new and not comparison.unchanged:
        sentence = f"No row could become a log. {rejects[0][1]}" if rejects else NO_ROWS
        raise FileRefused(sentence, findings=findings)
    return {
        **findings,
        "consignment": consignment.pk,
        "logs": parsed.logs,
        "comparison": comparison,
    }


def record_tally(file: File, findings: Findings) -> None:
    """Add the sheet's new logs, in the transaction that settles the file as SUCCESS.

    Raises Outdated if the consignment or its logs have changed since they were compared.
    """
    consignment = _consignment_of(file)
    if consignment is None or consignment.pk != findings["consignment"]:
        raise Outdated
    comparison: Comparison = findings["comparison"]
    if _compare(consignment, findings["logs"]) != comparison:
        raise Outdated
    if not comparison.new:
        return
    try:
        add_logs(
            actor=cast("User", file.uploaded_by),
            consignment=consignment,
            logs=[NewLog(barcode=log.barcode, **log.measures) for log in comparison.new],
        )
    except (Conflict, Forbidden, Lapsed, NotFound):
        # The file is processed again, which yields the reason that holds now.
        raise Outdated from None


def _consignment_of(file: File) -> Consignment | None:
    if file.consignment_id is None:
        return None
    consignments = Consignment.unscoped.select_related("client__subscription")
    return consignments.filter(pk=file.consignment_id).first()


def _check_uploader(uploader: User | None, client: Client) -> None:
    """Raise FileRefused unless the uploader of a sheet may add logs."""
    if uploader is None:
        raise FileRefused(NO_UPLOADER)
    try:
        require(uploader, Permission.WRITE_LOGS, client=client)
    except Forbidden:
        raise FileRefused(NOT_ALLOWED) from None
    except Lapsed:
        raise FileRefused(LAPSED) from None


def _compare(consignment: Consignment, logs: Sequence[SheetLog]) -> Comparison:
    """Compare the logs of a sheet with those of the client that have the same barcodes."""
    keys = [barcode_key(log.barcode) for log in logs]
    existing_logs = find_logs_by_key(consignment.client_id, keys)
    other_ids = {log.consignment_id for log in existing_logs.values()} - {consignment.pk}
    names = dict(Consignment.unscoped.filter(pk__in=other_ids).values_list("pk", "name"))
    new, rejected = [], []
    for log, key in zip(logs, keys, strict=True):
        existing = existing_logs.get(key)
        if existing is None:
            new.append(log)
        elif errors := _find_conflicts(log, existing, consignment, names):
            text = format_row([log.barcode, *log.measures.values()])
            rejected.append(RejectedRow(table=log.table, row=log.row, errors=errors, text=text))
    unchanged = len(logs) - len(new) - len(rejected)
    return Comparison(new=new, unchanged=unchanged, rejected=rejected)


def _find_conflicts(
    log: SheetLog, existing: Log, consignment: Consignment, names: Mapping[int, str]
) -> dict[str, str]:
    """Return a message for each field in which a log of a sheet contradicts the existing one.

    `names` are those of other consignments by id.
    """
    if existing.consignment_id != consignment.pk:
        name = names.get(existing.consignment_id, "")
        sentence = f"The log “{log.barcode}” is in the consignment “{name}” already."
        return {BARCODE: sentence}
    return {
        measure: (
            f"The log “{log.barcode}” has the {measure} {getattr(existing, measure).normalize():f} "
            f"{UNIT_NAMES[measure]} already; the sheet says {log.measures[measure].normalize():f} "
            f"{UNIT_NAMES[measure]}."
        )
        for measure in MEASURES
        if getattr(existing, measure) != log.measures[measure]
    }


def _reason(row: RejectedRow, columns: Mapping[str, int]) -> str:
    return replace_unstorable(
        " ".join(
            f"{column_letters(columns.get(name, 0))}{row.row}: {row.errors[name]}"
            for name in (*FIELDS, PIECES, WHOLE_ROW)
            if name in row.errors
        )
    )


def _write_annotated_copy(
    job: Job, rejected: Iterable[RejectedRow], *, sheet: str, columns: Mapping[str, int]
) -> None:
    """Store a copy of the workbook with its bad cells annotated, or else a copy of its values.

    If neither can be made, there is none.
    """
    annotations = [
        (row.row, columns.get(name, 0), message)
        for row in rejected
        for name, message in row.errors.items()
    ]
    extra = json.dumps({"sheet": sheet, "annotations": annotations}).encode()
    for annotate in (annotate_workbook, annotate_values):
        try:
            result = run_in_sandbox(annotate, job, extra=extra)
        except FileRefused:
            _log.warning("annotation_failed", function=annotate.__name__, exc_info=True)
            continue
        with job.derive(Derivative.Role.ANNOTATED) as out:
            out.write(result.objects[ANNOTATED])
        return


PROCESSOR: Final = TallyProcessor(
    kind=File.Kind.TALLY,
    read=read_tally,
    record=record_tally,
    result_fields=RESULT_FIELDS,
    max_fast_bytes=1024 * 1024,
    takes_dry_run=True,
)
