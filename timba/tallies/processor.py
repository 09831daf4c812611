"""Makes the rows of an uploaded tally sheet logs of the file's consignment.

A row is known by its barcode, so that the same sheet, or a mended one, may come in again: what is
there adds nothing. Rows that cannot become logs are rejects, told by row and cell and marked in a
copy of the workbook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, cast

import structlog

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.barcodes import logs_by_barcode
from timba.consignments.locks import lock_consignment
from timba.consignments.measures import MAX_TOTAL, volume
from timba.consignments.models import Consignment, Log
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
from timba.files.safe_csv import csv_lines
from timba.files.sandbox import run_in_sandbox
from timba.tallies.annotate import MARKED, mark_values, mark_workbook
from timba.tallies.headers import (
    BARCODE,
    FIELDS,
    MEASURES,
    column_letters,
)
from timba.tallies.reading import (
    ROWS,
    UNIT_NAMES,
    BadRow,
    SheetLog,
    read_tally,
    row_text,
)

FIRST_ERRORS: Final = 20
REJECTS_HEADER: Final = ("line", "reason", "text")
FACTS: Final = ("rows", "accepted", "rejected", "unchanged", "volume", "first_errors")

NO_CONSIGNMENT: Final = "It belongs to no consignment yet. Choose its consignment, then try again."
NOBODY: Final = "Whoever uploaded it is no longer a user here. Upload it again."
NOT_ALLOWED: Final = "The role of whoever uploaded it may not write logs. Ask someone whose may."
LAPSED: Final = "The subscription has lapsed: the logs can be added once it is renewed."
TOO_MUCH: Final = f"With its logs the consignment would hold more than {MAX_TOTAL:,} m³. Split it."
NO_ROWS: Final = "The sheet holds no log, only a header."

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What a sheet's logs are beside those that are there."""

    fresh: Sequence[SheetLog]
    unchanged: int
    bad: Sequence[BadRow]


def stage_tally(job: Job, made: ReadResult) -> Findings:
    """Compare the sheet with what is there, keep its rejects, and have them marked.

    Raises FileRefused where none of its rows is a log, or nobody may add it.
    """
    file = File.unscoped.select_related("uploaded_by__role").get(pk=job.file_id)
    consignment = _consignment_of(file)
    if consignment is None:
        raise FileRefused(NO_CONSIGNMENT)
    _check_actor(file.uploaded_by, consignment.client)
    logs, bad = _unpacked(made.objects[ROWS])
    compared = _compare(consignment, logs)
    added = sum((volume(**log.measures) for log in compared.fresh), Decimal(0))
    if consignment.volume + added > MAX_TOTAL:
        raise FileRefused(TOO_MUCH)
    bad = sorted([*bad, *compared.bad], key=lambda row: row.row)
    place: Mapping[str, int] = made.findings["columns"]
    rejects = [(row.row, _reason(row, place), replace_unstorable(row.text)) for row in bad]
    if bad:
        _keep_rejects(job, rejects)
        _mark(job, bad, sheet=made.findings["sheet"], place=place)
    findings = {
        "rows": len(compared.fresh) + compared.unchanged + len(bad),
        "accepted": len(compared.fresh),
        "rejected": len(bad),
        "unchanged": compared.unchanged,
        "volume": added,
        "first_errors": [
            dict(zip(REJECTS_HEADER, reject, strict=True)) for reject in rejects[:FIRST_ERRORS]
        ],
    }
    if not compared.fresh and not compared.unchanged:
        sentence = f"No row could become a log. {rejects[0][1]}" if rejects else NO_ROWS
        raise FileRefused(sentence, findings=findings)
    return {**findings, "consignment": consignment.pk, "logs": logs, "compared": compared}


def record_tally(file: File, findings: Findings) -> None:
    """Add the sheet's new logs in the transaction that settles the file as SUCCESS.

    Raises Outdated where the consignment or its logs are no longer those it was compared with.
    """
    consignment = _consignment_of(file)
    if consignment is None or consignment.pk != findings["consignment"]:
        raise Outdated
    compared: Compared = findings["compared"]
    if _compare(consignment, findings["logs"]) != compared:
        raise Outdated
    if not compared.fresh:
        return
    try:
        add_logs(
            actor=cast("User", file.uploaded_by),
            consignment=consignment,
            logs=[NewLog(barcode=log.barcode, **log.measures) for log in compared.fresh],
        )
    except (Conflict, Forbidden, Lapsed, NotFound):
        # What was true when it was staged no longer is: reading it again says what is now.
        raise Outdated from None


def _consignment_of(file: File) -> Consignment | None:
    if file.consignment_id is None:
        return None
    consignments = Consignment.unscoped.select_related("client__subscription")
    return consignments.filter(pk=file.consignment_id).first()


def _check_actor(actor: User | None, client: Client) -> None:
    """Raise FileRefused unless whoever uploaded a sheet may add its logs."""
    if actor is None:
        raise FileRefused(NOBODY)
    try:
        require(actor, Permission.WRITE_LOGS, client=client)
    except Forbidden:
        raise FileRefused(NOT_ALLOWED) from None
    except Lapsed:
        raise FileRefused(LAPSED) from None


def _compare(consignment: Consignment, logs: Sequence[SheetLog]) -> Compared:
    """Return which logs of a sheet are new, which are there already, and which cannot be."""
    spellings = {each for log in logs for each in (log.barcode, log.barcode.strip())}
    known = logs_by_barcode(consignment.client, spellings)
    elsewhere = {log.consignment_id for log in known.values()} - {consignment.pk}
    names = dict(Consignment.unscoped.filter(pk__in=elsewhere).values_list("pk", "name"))
    fresh, bad = [], []
    for each in logs:
        # Blanks around it are a slip of the pen, but for a log that has them in its barcode.
        log = each if each.barcode in known else replace(each, barcode=each.barcode.strip())
        there = known.get(log.barcode)
        if there is None:
            fresh.append(log)
        elif faults := _differences(log, there, consignment, names):
            text = row_text([log.barcode, *log.measures.values()])
            bad.append(BadRow(row=log.row, faults=faults, text=text))
    unchanged = len(logs) - len(fresh) - len(bad)
    return Compared(fresh=fresh, unchanged=unchanged, bad=bad)


def _differences(
    log: SheetLog, there: Log, consignment: Consignment, names: Mapping[int, str]
) -> dict[str, str]:
    if there.consignment_id != consignment.pk:
        name = names.get(there.consignment_id, "")
        sentence = f"The log “{log.barcode}” is in the consignment “{name}” already."
        return {BARCODE: sentence}
    return {
        measure: (
            f"The log “{log.barcode}” has the {measure} {getattr(there, measure).normalize():f} "
            f"{UNIT_NAMES[measure]} already; the sheet says {log.measures[measure].normalize():f} "
            f"{UNIT_NAMES[measure]}."
        )
        for measure in MEASURES
        if getattr(there, measure) != log.measures[measure]
    }


def _unpacked(rows: bytes) -> tuple[list[SheetLog], list[BadRow]]:
    packed = json.loads(rows)
    logs = [
        SheetLog(
            row=row, barcode=barcode, measures=dict(zip(MEASURES, map(Decimal, rest), strict=True))
        )
        for row, barcode, *rest in packed["logs"]
    ]
    bad = [BadRow(row=row, faults=faults, text=text) for row, faults, text in packed["bad"]]
    return logs, bad


def _reason(row: BadRow, place: Mapping[str, int]) -> str:
    return replace_unstorable(
        " ".join(
            f"{column_letters(place[name])}{row.row}: {row.faults[name]}"
            for name in FIELDS
            if name in row.faults
        )
    )


def _keep_rejects(job: Job, rejects: Iterable[Sequence[object]]) -> None:
    with job.derive(Derivative.Role.REJECTS) as kept:
        kept.write(csv_lines([REJECTS_HEADER, *rejects]))


def _mark(job: Job, bad: Iterable[BadRow], *, sheet: str, place: Mapping[str, int]) -> None:
    """Keep a copy of the workbook with its bad cells marked, or of its values where it must be."""
    marks = [
        (row.row, place[name], sentence) for row in bad for name, sentence in row.faults.items()
    ]
    extra = json.dumps({"sheet": sheet, "marks": marks}).encode()
    for mark in (mark_workbook, mark_values):
        try:
            marked = run_in_sandbox(mark, job, extra=extra).objects[MARKED]
        except FileRefused:
            _log.warning("tally_not_marked", by=mark.__name__, exc_info=True)
            continue
        with job.derive(Derivative.Role.ANNOTATED) as kept:
            kept.write(marked)
        return


class TallyProcessor(Processor):
    """A sheet is compared with the logs that exist before its new ones are added."""

    extra_readers = (mark_workbook, mark_values)

    def stage(self, job: Job, result: ReadResult) -> Findings:
        return stage_tally(job, result)

    def lock(self, findings: Findings) -> None:
        """Lock the consignment first, as every service does; raise Outdated when it is deleted."""
        try:
            lock_consignment(Consignment(pk=findings["consignment"]))
        except NotFound:
            raise Outdated from None


PROCESSOR: Final = TallyProcessor(
    kind=File.Kind.TALLY,
    read=read_tally,
    record=record_tally,
    result_fields=FACTS,
    quick_bytes=1024 * 1024,
)
