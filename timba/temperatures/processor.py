"""Processes an uploaded temperature file: good lines become readings, bad lines become rejects.

Its layout is decided first, and a file whose meaning is in doubt ends as a FAILURE that asks. The
results of a run are separate until the file is settled with it: the readings and the rejects are
objects derived from the file, and the totals of its cities are staged rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings

from timba.files.models import File
from timba.files.processors.base import FileRefused, Findings, Job, Processor
from timba.files.profiles import about_every_file
from timba.serialization import format_utc
from timba.temperatures.file_parsing import (
    FILE_HEAD_BYTES,
    NoReadings,
    decide_file_layout,
    explain_no_readings,
)
from timba.temperatures.ingestion import Outcome, ProgressReader, ingest
from timba.temperatures.layout.answers import check_answers
from timba.temperatures.layout.decisions import Decision
from timba.temperatures.lines.blocks import UnreadableFile
from timba.temperatures.schemas import degrees
from timba.temperatures.services import (
    delete_staged_totals,
    record_readings,
    renew_version_for,
)
from timba.temperatures.sniffing import sniff_readings
from timba.temperatures.statistics.bounds import to_datetime
from timba.temperatures.suspicions import (
    Warnings,
    warn_of_error_values,
    warn_of_overlaps,
    warn_of_repeated,
)

RESULT_FIELDS: Final = (
    *("rows", "accepted", "rejected", "cities", "first_at", "last_at", "min_temp", "max_temp"),
    *("rejects_kept", "read_as", "questions", "warnings", "first_errors"),
)


def read_temperatures(job: Job) -> Findings:
    """Write the readings, rejects and staged totals of a file, and return its findings.

    Raises FileRefused if the file leaves a question open, if no line is a reading, or if the
    archive cannot be decompressed.
    """
    outcome = Outcome()
    try:
        decision = _decide_layout(job)
        if decision.questions:
            sentence = decision.questions[0].sentence
            raise FileRefused(sentence, findings=_findings(outcome, decision))
        ingest(job, outcome, layout=decision.layout)
    except UnreadableFile as error:
        raise FileRefused(error.sentence(job.name)) from error
    except NoReadings as error:
        findings = _findings(outcome, decision)
        sentence = explain_no_readings(outcome.first_errors, decision.layout)
        raise FileRefused(sentence, findings=findings) from error
    warnings = [
        *warn_of_error_values(outcome.error_values),
        *warn_of_repeated(outcome.repeated),
        *warn_of_overlaps(job),
    ]
    return _findings(outcome, decision, warnings)


class TemperatureProcessor(Processor):
    """Readings count from the moment their file is settled until it is deleted."""

    def sniff(self, head: bytes) -> bool:
        """Return whether the first lines, compressed or not, hold readings in any layout."""
        return sniff_readings(head)

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return check_answers(read_as)

    def on_delete(self, file: File) -> None:
        renew_version_for(file)

    def on_restore(self, file: File) -> None:
        renew_version_for(file)

    def discard_run(self, file_id: uuid.UUID, run: int) -> None:
        delete_staged_totals(file_id, run)


def _decide_layout(job: Job) -> Decision:
    """Return the layout of the file; raise what `decide_file_layout` raises."""

    @contextmanager
    def open_file() -> Iterator[ProgressReader]:
        with job.open() as stream:
            yield ProgressReader(stream, job)

    with job.open() as stream:
        head = stream.read(FILE_HEAD_BYTES)
    given = job.reading_input()
    return decide_file_layout(
        head,
        open_file,
        read_as=given["read_as"],
        profiles=given["profiles"],
        may_be_plain=not about_every_file(given["read_as"] or {}),
        max_unpacked=settings.TIMBA_MAX_UPLOAD_BYTES,
    )


def _findings(outcome: Outcome, decision: Decision, warnings: Warnings | None = None) -> Findings:
    """Return the findings: temperatures in degrees Celsius, times in UTC."""
    totals = outcome.totals
    return {
        "rows": outcome.rows,
        "accepted": outcome.accepted,
        "rejected": outcome.rejected,
        "cities": outcome.cities,
        "first_at": _isoformat(totals.first_at) if totals else None,
        "last_at": _isoformat(totals.last_at) if totals else None,
        "min_temp": degrees(totals.min_hundredths) if totals else None,
        "max_temp": degrees(totals.max_hundredths) if totals else None,
        "rejects_kept": outcome.rejects_kept,
        "read_as": decision.read_as,
        "questions": [question.as_json() for question in decision.questions],
        "warnings": [*decision.warnings, *(warnings or ())],
        "first_errors": [
            {"line": reject.line, "reason": str(reject.reason), "text": reject.text}
            for reject in outcome.first_errors
        ],
        "asks": decision.asks,
        "header": decision.header,
        "header_digest": decision.header_digest,
        "profile": decision.profile,
    }


def _isoformat(microseconds: int) -> str:
    return format_utc(to_datetime(microseconds))


PROCESSOR: Final = TemperatureProcessor(
    kind=File.Kind.TEMPERATURES,
    read=read_temperatures,
    record=record_readings,
    sandboxed=False,
    result_fields=RESULT_FIELDS,
    max_fast_bytes=1024 * 1024,
    counts_once=True,
)
