"""Processes an uploaded temperature file: good lines become readings, bad lines become rejects.

The results of a run are separate until the file is settled with it: the readings and the rejects
are objects derived from the file, and the totals of its cities are staged rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, Final

from django.conf import settings

from timba.files.kinds import HEAD_BYTES
from timba.files.models import Derivative, File
from timba.files.processors.base import FileRefused, Findings, Job, Processor
from timba.files.rejects import FIRST_ERRORS, RejectsWriter
from timba.files.storage import store
from timba.serialization import format_utc
from timba.temperatures.block_parsing import parse_block
from timba.temperatures.bounds import to_datetime
from timba.temperatures.lines import UnreadableFile, read_blocks
from timba.temperatures.parsing import Reject
from timba.temperatures.readings import ReadingsWriter
from timba.temperatures.schemas import degrees
from timba.temperatures.services import (
    delete_staged_totals,
    record_readings,
    stage_totals,
    uncount_readings,
)
from timba.temperatures.sniffing import describe_layout, sniff_readings
from timba.temperatures.stored_readings import StoredReadings, iter_city_totals
from timba.temperatures.totals import CityColumns, Totals

# Cities whose totals are staged in one transaction.
STAGE_BATCH_SIZE: Final = 1000
# The share of progress for parsing; the rest is for the totals.
PARSING_SHARE: Final = 0.95

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
        writer = _write_objects(job, outcome)
    except UnreadableFile as error:
        raise FileRefused(error.sentence(job.name)) from error
    for cities in _iter_totals(job, writer):
        for batch in cities.batches(STAGE_BATCH_SIZE):
            job.progress(PARSING_SHARE)
            stage_totals(
                client_id=job.client_id,
                file_id=job.file_id,
                run=job.run,
                cities=batch,
                writing=job.writing,
            )
            outcome.add_cities(batch)
    return outcome.findings()


class TemperatureProcessor(Processor):
    """Readings count from the moment their file is settled until it is deleted."""

    def sniff(self, head: bytes) -> bool:
        """Return whether the first lines, compressed or not, hold readings in any layout."""
        return sniff_readings(head)

    def on_delete(self, file: File) -> None:
        uncount_readings(file)

    def discard_run(self, file_id: uuid.UUID, run: int) -> None:
        delete_staged_totals(file_id, run)


@dataclass(kw_only=True, slots=True)
class Outcome:
    """The numbers of readings and rejects in a file so far, and the totals of its cities."""

    accepted: int = 0
    rejected: int = 0
    rejects_kept: int = 0
    cities: int = 0
    totals: Totals | None = None
    first_errors: list[Reject] = field(default_factory=list)

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        self.rejected += len(rejects)
        self.first_errors += rejects[: FIRST_ERRORS - len(self.first_errors)]

    def add_cities(self, cities: CityColumns) -> None:
        self.cities += len(cities)
        totals = cities.total()
        self.totals = self.totals + totals if self.totals else totals

    def refusal_message(self) -> str:
        """Return why a file without readings is refused."""
        if not self.first_errors:
            return NO_LINES
        first = self.first_errors[0]
        return f"No line of the file is a reading. Line {first.line}: {first.reason} {FORMAT}"

    def findings(self) -> Findings:
        """Return the result of the file: temperatures in degrees Celsius, times in UTC."""
        totals = self.totals
        return {
            "rows": self.accepted + self.rejected,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "cities": self.cities,
            "first_at": _isoformat(totals.first_at) if totals else None,
            "last_at": _isoformat(totals.last_at) if totals else None,
            "min_temp": degrees(totals.min_hundredths) if totals else None,
            "max_temp": degrees(totals.max_hundredths) if totals else None,
            "rejects_kept": self.rejects_kept,
            "first_errors": [
                {"line": reject.line, "reason": str(reject.reason), "text": reject.text}
                for reject in self.first_errors
            ],
        }


class ProgressReader:
    """Reads a file, and reports how much of it has been read as the progress of the job.

    Progress is reported for each read as well as for each block of lines: a gigabyte without a line
    end must not look like a worker that hangs.
    """

    def __init__(self, stream: BinaryIO, job: Job) -> None:
        self._stream, self._job = stream, job
        self._bytes_read = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._bytes_read += len(data)
        self.report_progress()
        return data

    def report_progress(self) -> None:
        self._job.progress(PARSING_SHARE * self._bytes_read / max(self._job.size, 1))


def _write_objects(job: Job, outcome: Outcome) -> ReadingsWriter:
    """Write the objects of readings and rejects; raise FileRefused or UnreadableFile.

    The rejects are stored even for a refused file: they show what has to be corrected.
    """
    refusal: FileRefused | UnreadableFile | None = None
    with job.derive(Derivative.Role.REJECTS) as rejects:
        try:
            writer = _write_readings(job, outcome, RejectsWriter(rejects))
        except (FileRefused, UnreadableFile) as error:
            refusal = error
    if refusal is not None:
        raise refusal
    return writer


def _write_readings(job: Job, outcome: Outcome, rejects: RejectsWriter) -> ReadingsWriter:
    """Write the object of readings; if there is none, raise FileRefused and leave no object."""
    with job.derive(Derivative.Role.READINGS) as readings:
        with ReadingsWriter(readings) as writer:
            _parse_lines(job, outcome, writer, rejects)
        outcome.accepted = writer.count
        if not outcome.accepted:
            with job.open() as stream:
                layout = describe_layout(stream.read(HEAD_BYTES))
            raise FileRefused(
                OTHER_LAYOUT.format(layout) if layout else outcome.refusal_message(),
                findings=outcome.findings(),
            )
    return writer


def _parse_lines(
    job: Job, outcome: Outcome, writer: ReadingsWriter, rejects: RejectsWriter
) -> None:
    """Write the readings and the rejects of all lines, one block at a time."""
    with job.open() as stream:
        reader = ProgressReader(stream, job)
        for block in read_blocks(reader, max_unpacked=settings.TIMBA_MAX_UPLOAD_BYTES):
            # One chunk of an archive may hold more lines than can be parsed within a lease.
            reader.report_progress()
            parsed = parse_block(block)
            writer.add(parsed.cities, parsed.times, parsed.hundredths)
            rejects.add(parsed.rejects)
            outcome.add_rejects(parsed.rejects)
            outcome.rejects_kept = rejects.count


def _iter_totals(job: Job, writer: ReadingsWriter) -> Iterator[CityColumns]:
    """Yield the totals by city from the writer, or from the stored object if it has none."""
    if writer.totals is not None:
        yield writer.totals
        return
    key = Derivative.objects.get(
        file_id=job.file_id, run=job.run, role=Derivative.Role.READINGS
    ).storage_key
    yield from iter_city_totals(StoredReadings(key=key, open=partial(store().open_bytes, key)))


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
