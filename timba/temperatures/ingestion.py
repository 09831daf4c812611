"""Ingests a temperature file: its lines become readings or rejects, its readings totals by city.

Threads parse blocks of lines ahead of the main thread, which reads the file, writes both objects in
the order of the lines, and alone uses the database. All that a run writes is separate from other
runs until the file is settled with it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from django.conf import settings

from timba.files.models import Derivative
from timba.files.processors.base import FileRefused, Job
from timba.files.rejects import FIRST_ERRORS, RejectsWriter
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.other_tables import begins_other_table
from timba.temperatures.lines.block_parsing import ParsedBlock, keep_freed_memory, parse_block
from timba.temperatures.lines.blocks import Block, UnreadableFile, read_blocks
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
# numpy works without the interpreter's lock for most of the time.
PARSING_THREADS: Final = 2
# So many blocks wait to be parsed while a batch of readings is written.
BLOCKS_AHEAD: Final = 6
# While a block is being parsed, a stop of the worker is noticed within so many seconds.
CHECK_SECONDS: Final = 0.25


# Characters of a line that a sentence quotes.
MAX_QUOTED: Final = 100
OTHER_TABLE: Final = (
    "Line {} begins a table of something else: “{}”. Upload each table as a file of its own."
)


class NoReadings(Exception):
    """No line of the file is a reading."""


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
        blocks = read_blocks(reader, layout, max_unpacked=settings.TIMBA_MAX_UPLOAD_BYTES)
        with closing(_parse_ahead(blocks, layout, reader.report_progress)) as parsed_blocks:
            for parsed in parsed_blocks:
                _check_tables(parsed.rejects, layout)
                cities, hundredths, times = parsed.readings
                writer.add(cities, times, hundredths)
                rejects.add(parsed.rejects)
                outcome.add_block(parsed)
                outcome.rejects_kept = rejects.count


def _check_tables(rejects: Iterable[Reject], layout: Layout) -> None:
    """Raise FileRefused where a bad line begins a table of something else than temperatures."""
    for reject in rejects:
        if begins_other_table(reject.text, layout):
            raise FileRefused(OTHER_TABLE.format(reject.line, reject.text[:MAX_QUOTED]))


def _parse_ahead(
    blocks: Iterable[Block], layout: Layout, check: Callable[[], None]
) -> Generator[ParsedBlock]:
    """Yield parsed blocks in their order while threads parse the next ones.

    `check`, which is called all the time, may raise. What `blocks` raises of a damaged file is
    raised after the blocks before the damage. No thread outlives the iterator.
    """
    pending: deque[Future[ParsedBlock]] = deque()
    damage: UnreadableFile | None = None
    keep_freed_memory()
    pool = ThreadPoolExecutor(PARSING_THREADS, thread_name_prefix="parsing")
    try:
        try:
            for block in blocks:
                pending.append(pool.submit(parse_block, block, layout))
                check()
                if len(pending) > BLOCKS_AHEAD:
                    yield _wait_for(pending.popleft(), check)
        except UnreadableFile as error:
            damage = error
        while pending:
            yield _wait_for(pending.popleft(), check)
    finally:
        pool.shutdown(cancel_futures=True)
    if damage is not None:
        raise damage


def _wait_for(future: Future[ParsedBlock], check: Callable[[], None]) -> ParsedBlock:
    while not wait([future], timeout=CHECK_SECONDS).done:
        check()
    return future.result()


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
