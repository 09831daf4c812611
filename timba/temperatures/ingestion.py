"""Ingests a temperature file: its lines become readings or rejects, its readings totals by city.

The threads of `file_parsing` parse blocks of lines ahead of the main thread, which reads the file,
writes both objects in the order of the lines, and alone uses the database. All that a run writes is
separate from other runs until the file is settled with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from django.conf import settings

from timba.files.models import Derivative
from timba.files.processors.base import Job
from timba.files.rejects import FIRST_ERRORS, RejectsWriter
from timba.temperatures.file_parsing import NoReadings, parse_file
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines.block_parsing import ParsedBlock
from timba.temperatures.lines.blocks import UnreadableFile
from timba.temperatures.lines.parsing import Reject
from timba.temperatures.readings.objects import stored_readings_of
from timba.temperatures.readings.repeats import iter_repeated
from timba.temperatures.readings.stored_readings import iter_city_totals
from timba.temperatures.readings.totals import CityColumns, Totals
from timba.temperatures.readings.writing import ReadingsWriter
from timba.temperatures.services import stage_totals

# Cities whose totals are staged in one transaction.
STAGE_BATCH_SIZE: Final = 10_000
# The share of progress for parsing; the rest is for the totals.
PARSING_SHARE: Final = 0.95


@dataclass(kw_only=True, slots=True)
class Outcome:
    """The numbers of readings and rejects in a file so far, and the totals of its cities.

    `error_values` tells how often each of `readings.writing.ERROR_VALUES` occurs, and `repeated` is
    the number of readings that have the city and the time of another one before them.
    """

    accepted: int = 0
    rejected: int = 0
    rejects_kept: int = 0
    cities: int = 0
    totals: Totals | None = None
    error_values: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    first_errors: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.accepted + self.rejected

    def add_block(self, parsed: ParsedBlock) -> None:
        self.accepted += len(parsed.readings.cities)
        self.rejected += len(parsed.rejects)
        self.first_errors += parsed.rejects[: FIRST_ERRORS - len(self.first_errors)]

    def add_cities(self, cities: CityColumns) -> None:
        self.cities += len(cities)
        totals = cities.total()
        self.totals = self.totals + totals if self.totals else totals


def ingest(job: Job, outcome: Outcome, *, layout: Layout) -> None:
    """Write the readings, rejects and staged totals of a file, and add what they are to `outcome`.

    Raises NoReadings, or UnreadableFile where the archive cannot be decompressed. The rejects are
    stored even then: they show what has to be corrected. Raises FileRefused where another table
    begins.
    """
    writer = _write_objects(job, outcome, layout)
    outcome.error_values = writer.error_values
    outcome.repeated = writer.repeated
    for repeated in _iter_repeated(job, writer):
        job.progress(PARSING_SHARE, rows=outcome.rows)
        outcome.repeated += repeated
    for cities in _iter_totals(job, writer):
        for batch in cities.batches(STAGE_BATCH_SIZE):
            job.progress(PARSING_SHARE, rows=outcome.rows)
            stage_totals(
                client_id=job.client_id,
                file_id=job.file_id,
                run=job.run,
                cities=batch,
                writing=job.writing,
            )
            outcome.add_cities(batch)


class ProgressReader:
    """Reads a file, and reports how much of it has been read as the progress of the job.

    Progress is reported for each read as well as for each block of lines: a gigabyte without a line
    end must not look like a worker that hangs. Without an `outcome`, reading is no progress yet.
    """

    def __init__(self, stream: BinaryIO, job: Job, outcome: Outcome | None = None) -> None:
        self._stream, self._job, self._outcome = stream, job, outcome
        self._bytes_read = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._bytes_read += len(data)
        self.report_progress()
        return data

    def report_progress(self) -> None:
        """Raise what `Job.progress` raises where the run has lost the file or is stopped."""
        if self._outcome is None:
            self._job.progress(0.0)
            return
        share = self._bytes_read / max(self._job.size, 1)
        self._job.progress(PARSING_SHARE * share, rows=self._outcome.rows)


def _write_objects(job: Job, outcome: Outcome, layout: Layout) -> ReadingsWriter:
    """Write the objects of readings and rejects; of rejects alone where there is no reading."""
    refusal: NoReadings | UnreadableFile | None = None
    with job.derive(Derivative.Role.REJECTS) as rejects:
        try:
            writer = _write_readings(job, outcome, layout, RejectsWriter(rejects))
        except (NoReadings, UnreadableFile) as error:
            refusal = error
    if refusal is not None:
        raise refusal
    return writer


def _write_readings(
    job: Job, outcome: Outcome, layout: Layout, rejects: RejectsWriter
) -> ReadingsWriter:
    with job.derive(Derivative.Role.READINGS) as readings:
        with ReadingsWriter(readings, client_id=job.client_id, file_id=job.file_id) as writer:
            _write_lines(job, outcome, layout, writer, rejects)
        if not outcome.accepted:
            raise NoReadings
    return writer


def _write_lines(
    job: Job, outcome: Outcome, layout: Layout, writer: ReadingsWriter, rejects: RejectsWriter
) -> None:
    """Write the readings and the rejects of all lines, one block at a time."""
    with job.open() as stream:
        reader = ProgressReader(stream, job, outcome)
        limit = settings.TIMBA_MAX_UPLOAD_BYTES
        blocks = parse_file(reader, layout, max_unpacked=limit, check=reader.report_progress)
        with closing(blocks):
            for parsed in blocks:
                cities, hundredths, times = parsed.readings
                writer.add(cities, times, hundredths)
                rejects.add(parsed.rejects)
                outcome.add_block(parsed)
                outcome.rejects_kept = rejects.count


def _iter_repeated(job: Job, writer: ReadingsWriter) -> Iterator[int]:
    """Yield numbers of readings that repeat one in another batch."""
    if writer.overlapping is None or len(writer.overlapping):
        stored = stored_readings_of((job.file_id, job.run))
        yield from iter_repeated(stored, writer.row_groups, writer.overlapping)


def _iter_totals(job: Job, writer: ReadingsWriter) -> Iterator[CityColumns]:
    """Yield the totals by city from the writer, or from the stored object if it has none."""
    if writer.totals is not None:
        yield writer.totals
    else:
        yield from iter_city_totals(stored_readings_of((job.file_id, job.run)))
