"""Parses a whole temperature file: decides its layout, then parses its lines in blocks, in order.

Nothing here imports Django or knows where a file is: Timba's processor parses files by it, and so
do the executors of Spark (`examples/spark/count_raw_files.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing
from typing import Any, Final

from timba.files.kinds import HEAD_BYTES
from timba.files.processors.base import FileRefused
from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.other_tables import begins_other_table
from timba.temperatures.layout.plain_headers import plain_layout
from timba.temperatures.lines.block_parsing import ParsedBlock, keep_freed_memory, parse_block
from timba.temperatures.lines.blocks import (
    Block,
    Readable,
    UnreadableFile,
    read_blocks,
    read_lines,
)
from timba.temperatures.lines.parsing import Reject
from timba.temperatures.sniffing import unpack_head

# Bytes at the start of a file, compressed or not, that tell its layout.
FILE_HEAD_BYTES: Final = 2 * HEAD_BYTES
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
FORMAT: Final = "Each line must read city_id,temperature,timestamp."
NO_LINES: Final = "The file holds no reading, only a header or blank lines."
NO_READINGS: Final = "No line of the file is a reading. Line {}: {}"
WRONG_ANSWERS: Final = "With these answers, no line of the file looks like a reading. Answer again."

Open = Callable[[], AbstractContextManager[Readable]]


class NoReadings(Exception):
    """No line of the file is a reading."""


def decide_file_layout(
    head: bytes,
    open_file: Open,
    *,
    read_as: Mapping[str, Any] | None = None,
    profiles: Sequence[Mapping[str, Any]] = (),
    may_be_plain: bool = True,
    max_unpacked: int | None = None,
) -> Decision:
    """Return how a file is read; by the plain layout where nothing looks like readings.

    `head` has its first FILE_HEAD_BYTES; `open_file` is called where all of its lines must be seen,
    such as for the order of dates. Raises FileRefused where nothing looks like readings and the
    layout may not be the plain one either, what `decide_layout` raises, and UnreadableFile.
    """

    def iter_lines(layout: Layout) -> Iterator[bytes]:
        with open_file() as stream:
            yield from (line for _, line in read_lines(stream, layout, max_unpacked=max_unpacked))

    head = unpack_head(head)
    decision = decide_layout(head, read_as=read_as, profiles=profiles, lines=iter_lines)
    if decision is None and not may_be_plain:
        raise FileRefused(WRONG_ANSWERS)
    return decision or Decision(layout=plain_layout(head))


def parse_file(
    stream: Readable,
    layout: Layout,
    *,
    max_unpacked: int | None = None,
    threads: int = PARSING_THREADS,
    check: Callable[[], None] = lambda: None,
) -> Generator[ParsedBlock]:
    """Yield the parsed blocks of a file in their order while threads parse the next ones.

    `check`, which is called all the time, may raise. Raises FileRefused where another table begins,
    and UnreadableFile, after the blocks before the damage. No thread outlives the iterator.
    """
    blocks = read_blocks(stream, layout, max_unpacked=max_unpacked)
    with closing(_parse_ahead(blocks, layout, threads, check)) as parsed_blocks:
        for parsed in parsed_blocks:
            _check_tables(parsed.rejects, layout)
            yield parsed


def explain_no_readings(first_errors: Sequence[Reject], layout: Layout) -> str:
    """Return why a file without readings is refused; `first_errors` are its first bad lines."""
    sentence = NO_LINES
    if first_errors:
        first = first_errors[0]
        sentence = NO_READINGS.format(first.line, first.reason)
    return f"{sentence} {FORMAT}" if layout.has_plain_lines else sentence


def _check_tables(rejects: Iterable[Reject], layout: Layout) -> None:
    """Raise FileRefused where a bad line begins a table of something else than temperatures."""
    for reject in rejects:
        if begins_other_table(reject.text, layout):
            raise FileRefused(OTHER_TABLE.format(reject.line, reject.text[:MAX_QUOTED]))


def _parse_ahead(
    blocks: Iterable[Block], layout: Layout, threads: int, check: Callable[[], None]
) -> Generator[ParsedBlock]:
    pending: deque[Future[ParsedBlock]] = deque()
    damage: UnreadableFile | None = None
    keep_freed_memory()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="parsing")
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
