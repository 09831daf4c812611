"""Processes an uploaded temperature file: good lines become readings, bad lines become rejects.

The results of a run are separate until the file is settled with it: the readings and the rejects
are objects derived from the file, and the totals of its cities are staged rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from timba.files.kinds import HEAD_BYTES
from timba.files.models import File
from timba.files.processors.base import FileRefused, Findings, Job, Processor
from timba.serialization import format_utc
from timba.temperatures.bounds import to_datetime
from timba.temperatures.ingestion import NoReadings, Outcome, ingest
from timba.temperatures.layout.answers import check_answers
from timba.temperatures.lines import UnreadableFile
from timba.temperatures.schemas import degrees
from timba.temperatures.services import delete_staged_totals, record_readings, uncount_readings
from timba.temperatures.sniffing import describe_layout, sniff_readings

FORMAT: Final = "Each line must read city_id,temperature,timestamp."
OTHER_LAYOUT: Final = (
    "It looks like temperature readings {}, which are not read yet. Save it as UTF-8 with lines "
    "like 7,21.50,2026-01-31T14:05:00Z, or upload it as a text to keep it without counting it."
)
NO_LINES: Final = f"The file holds no reading, only a header or blank lines. {FORMAT}"


def read_temperatures(job: Job) -> Findings:
    """Write the readings, rejects and staged totals of a file, and return its findings.

    Raises FileRefused if no line is a reading, or if the archive cannot be decompressed.
    """
    outcome = Outcome()
    try:
        ingest(job, outcome)
    except UnreadableFile as error:
        raise FileRefused(error.sentence(job.name)) from error
    except NoReadings as error:
        raise FileRefused(_refusal(job, outcome), findings=_findings(outcome)) from error
    return _findings(outcome)


class TemperatureProcessor(Processor):
    """Readings count from the moment their file is settled until it is deleted."""

    def sniff(self, head: bytes) -> bool:
        """Return whether the first lines, compressed or not, hold readings in any layout."""
        return sniff_readings(head)

    def check_answers(self, read_as: Any) -> Mapping[str, Any]:
        return check_answers(read_as)

    def on_delete(self, file: File) -> None:
        uncount_readings(file)

    def discard_run(self, file_id: uuid.UUID, run: int) -> None:
        delete_staged_totals(file_id, run)


def _refusal(job: Job, outcome: Outcome) -> str:
    """Return why a file without readings is refused."""
    with job.open() as stream:
        layout = describe_layout(stream.read(HEAD_BYTES))
    if layout:
        return OTHER_LAYOUT.format(layout)
    if not outcome.first_errors:
        return NO_LINES
    first = outcome.first_errors[0]
    return f"No line of the file is a reading. Line {first.line}: {first.reason} {FORMAT}"


def _findings(outcome: Outcome) -> Findings:
    """Return the result of the file: temperatures in degrees Celsius, times in UTC."""
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
        "first_errors": [
            {"line": reject.line, "reason": str(reject.reason), "text": reject.text}
            for reject in outcome.first_errors
        ],
    }


def _isoformat(microseconds: int) -> str:
    return format_utc(to_datetime(microseconds))


PROCESSOR: Final = TemperatureProcessor(
    kind=File.Kind.TEMPERATURES,
    read=read_temperatures,
    record=record_readings,
    sandboxed=False,
    max_fast_bytes=1024 * 1024,
    counts_once=True,
)
