"""Adds the rows of an uploaded tally sheet as logs to the file's consignment.

The same sheet, or a corrected one, can be uploaded again: a log that exists already is left
unchanged. A sheet whose meaning is in doubt ends as a FAILURE that asks; rows that cannot become
logs are rejects, reported by row and cell and annotated in a copy of the workbook. A dry run does
all of this but adds no log.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import structlog

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.logs import NewLog, add_logs
from timba.consignments.measures import MAX_TOTAL_VOLUME, volume
from timba.consignments.models import Consignment, lock_consignment
from timba.db.text import replace_unstorable
from timba.errors import Conflict, Forbidden, Lapsed, NotFound
from timba.files.columns import column_letters
from timba.files.models import Derivative, File
from timba.files.processors.base import (
    FileRefused,
    Findings,
    Job,
    Outdated,
    Processor,
    ReadResult,
)
from timba.files.profiles import remember_reading
from timba.files.rejects import FIRST_ERRORS, REJECTS_HEADER, RejectsWriter
from timba.files.sandbox import run_in_sandbox
from timba.tallies.annotate import ANNOTATED, annotate_values, annotate_workbook
from timba.tallies.answers import check_answers
from timba.tallies.comparison import Comparison, compare
from timba.tallies.parsing import ROWS, ParsedRows, RejectedRow, deserialize_rows
from timba.tallies.reading import read_tally
from timba.tallies.sniffing import looks_like_tally

RESULT_FIELDS: Final = (
    *("rows", "accepted", "rejected", "unchanged", "left_out", "volume", "sheet_volume"),
    *("sheets", "read_as", "questions", "warnings", "first_errors"),
)

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


class TallyProcessor(Processor):
    """A sheet is compared with the logs that exist before its new ones are added."""

    extra_readers = (annotate_workbook, annotate_values)

    def sniff(self, head: bytes) -> bool:
        return looks_like_tally(head)

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return check_answers(read_as)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        return stage_tally(job, result)

    def lock(self, findings: Findings) -> None:
        """Lock the consignment first, as every service does; raise Outdated when it is deleted."""
        if findings["consignment"] is None:
            return
        try:
            lock_consignment(Consignment(pk=findings["consignment"]))
        except NotFound:
            raise Outdated from None


def stage_tally(job: Job, result: ReadResult) -> Findings:
    """Compare the sheet with the existing logs, and store its rejects and an annotated copy.

    Raises FileRefused if the sheet leaves a question open, none of its rows is a log, or its
    uploader may not add logs. Its findings then say what could be read.
    """
    file = File.unscoped.select_related("client__subscription", "uploaded_by__role").get(
        pk=job.file_id
    )
    read = result.findings
    if read["questions"]:
        findings = _findings(read, ParsedRows(), Comparison(new=(), unchanged=0, rejected=()))
        raise FileRefused(read["questions"][0]["sentence"], findings=findings)
    consignment = _consignment_of(file)
    _check_uploader(file.uploaded_by, file.client)
    parsed = deserialize_rows(result.objects[ROWS])
    comparison = compare(file.owner_id, consignment, parsed.logs)
    findings = _findings(read, parsed, comparison)
    rejected = _sorted([*parsed.rejected, *comparison.rejected])
    rejects = [(row.row, _reason(row, read), replace_unstorable(row.text)) for row in rejected]
    findings["first_errors"] = [
        dict(zip(REJECTS_HEADER, reject, strict=True)) for reject in rejects[:FIRST_ERRORS]
    ]
    if rejected:
        with job.derive(Derivative.Role.REJECTS) as out:
            RejectsWriter(out).add(rejects)
        _write_annotated_copy(job, rejected, read)
    if sentence := _find_obstacle(file, consignment, read, comparison, findings):
        raise FileRefused(sentence, findings=findings)
    return {
        **findings,
        "consignment": None if consignment is None else consignment.pk,
        "logs": parsed.logs,
        "comparison": comparison,
        "remembered": {name: read[name] for name in ("profile", "header", "header_digest")},
    }


def record_tally(file: File, findings: Findings) -> None:
    """Add the sheet's new logs, in the transaction that settles the file as SUCCESS.

    Raises Outdated if the consignment or its logs have changed since they were compared.
    """
    consignment = _consignment_of(file)
    if consignment is None or consignment.pk != findings["consignment"]:
        raise Outdated
    comparison: Comparison = findings["comparison"]
    if compare(file.owner_id, consignment, findings["logs"]) != comparison:
        raise Outdated
    remember_reading(file, findings["remembered"])
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


def _findings(read: Findings, parsed: ParsedRows, comparison: Comparison) -> dict[str, Any]:
    """Return the result of a sheet, without its first errors; counts are of rows."""
    rejected = len(parsed.rejected) + len(comparison.rejected)
    accepted = Counter(read["tables"][log.table]["sheet"] for log in comparison.new)
    return {
        "rows": len(comparison.new) + comparison.unchanged + rejected,
        "accepted": len(comparison.new),
        "rejected": rejected,
        "unchanged": comparison.unchanged,
        "left_out": read["left_out"],
        "volume": sum((volume(**log.measures) for log in comparison.new), Decimal(0)),
        "sheet_volume": None if read["sheet_volume"] is None else Decimal(read["sheet_volume"]),
        "sheets": [{**sheet, "accepted": accepted[sheet["name"]]} for sheet in read["sheets"]],
        "read_as": read["read_as"],
        "questions": read["questions"],
        "warnings": read["warnings"],
        "first_errors": [],
        "asks": read["head"],
    }


def _find_obstacle(
    file: File,
    consignment: Consignment | None,
    read: Findings,
    comparison: Comparison,
    findings: Findings,
) -> str:
    """Return why no log can be added, or an empty string."""
    if not comparison.new and not comparison.unchanged:
        errors = findings["first_errors"]
        return f"No row could become a log. {errors[0]['reason']}" if errors else NO_ROWS
    if consignment is None:
        return NO_CONSIGNMENT if file.records else ""
    if consignment.volume + findings["volume"] > MAX_TOTAL_VOLUME:
        return TOO_MUCH
    return _find_recorded_twin(file) if read["made_barcodes"] else ""


def _find_recorded_twin(file: File) -> str:
    """Return a sentence if the same sheet has been recorded, or an empty string.

    Without barcodes of their own, its logs could not be told from new ones. That holds after the
    first file is deleted too, because its logs stay.
    """
    twins = File.unscoped.filter(client_id=file.owner_id, sha256=file.sha256)
    twin = twins.filter(recorded_at__isnull=False).exclude(pk=file.pk).first()
    if twin is None:
        return ""
    return (
        f"The logs of this sheet were added already, from “{twin.name}”. It has no barcodes, so "
        "they would be added a second time."
    )


def _consignment_of(file: File) -> Consignment | None:
    if file.consignment_id is None:
        return None
    consignments = Consignment.unscoped.select_related("client__subscription")
    return consignments.filter(pk=file.consignment_id).first()


def _check_uploader(uploader: User | None, client: Client | None) -> None:
    """Raise FileRefused unless the uploader of a sheet may add logs."""
    if uploader is None:
        raise FileRefused(NO_UPLOADER)
    try:
        require(uploader, Permission.WRITE_LOGS, client=client)
    except Forbidden:
        raise FileRefused(NOT_ALLOWED) from None
    except Lapsed:
        raise FileRefused(LAPSED) from None


def _sorted(rejected: Iterable[RejectedRow]) -> list[RejectedRow]:
    return sorted(rejected, key=lambda row: (row.table, row.row))


def _reason(row: RejectedRow, read: Findings) -> str:
    """Return the sentences of a reject, each behind its cell, with the sheet if several are read.

    The reference to a cell is written as in a spreadsheet: `B7`, or `'Lorry 2'!B7`.
    """
    table = read["tables"][row.table]
    columns: Mapping[str, int] = table["columns"]
    sheet = f"'{table['sheet']}'!" if len(read["sheets"]) > 1 else ""
    return replace_unstorable(
        " ".join(
            f"{sheet}{column_letters(columns[name])}{row.row}: {sentence}"
            if name in columns
            else f"{sheet}Row {row.row}: {sentence}"
            for name, sentence in row.errors.items()
        )
    )


def _write_annotated_copy(job: Job, rejected: Sequence[RejectedRow], read: Findings) -> None:
    """Store a copy of the workbook with its bad cells annotated, or else a copy of its values.

    A sentence about a whole row stands at its first column. If no copy can be made, there is none.
    """
    annotations = [
        (table["grid"], row.row, table["columns"].get(name, min(table["columns"].values())), text)
        for row in rejected
        for table in (read["tables"][row.table],)
        for name, text in row.errors.items()
    ]
    encoding = read["read_as"].get("encoding")
    extra = json.dumps({"annotations": annotations, "encoding": encoding}).encode()
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
    keeps_text=True,
)
