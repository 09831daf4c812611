"""Blocks are parsed ahead by threads, in order, and a run that ends early leaves nothing behind."""

from __future__ import annotations

import csv
import gzip
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.temperatures.conftest import Receive
from timba.files.leases import Run
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.storage import store
from timba.temperatures import file_parsing
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines import blocks
from timba.temperatures.lines.block_parsing import ParsedBlock, parse_block
from timba.temperatures.lines.blocks import Block
from timba.temperatures.models import CityTotals

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of a few lines."""
    monkeypatch.setattr(blocks, "CHUNK", 200)


def parsing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("parsing")]


def content(count: int) -> str:
    """Return lines of which every third is bad."""
    return "".join(
        f"{n % 7 + 1},{n % 90}.25,2025-06-01T12:00Z\n" if n % 3 else f"bad {n}\n"
        for n in range(1, count + 1)
    )


def rejected_lines(file: File) -> list[int]:
    derivative = file.derivatives.get(role=Derivative.Role.REJECTS, run=file.run)
    stream = store().open_bytes(derivative.storage_key)
    with io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        return [int(line) for line, *_ in list(csv.reader(text))[1:]]


@pytest.mark.usefixtures("small_blocks")
def test_rejects_keep_the_order_of_lines_whichever_block_is_parsed_first(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def parse_slowly(block: Block, layout: Layout) -> ParsedBlock:
        seen.add(threading.current_thread().name)
        # Every other block takes longer than the next one.
        time.sleep(0.002 if block.first_line % 2 else 0)
        return parse_block(block, layout)

    monkeypatch.setattr(file_parsing, "parse_block", parse_slowly)
    file = settle(content(999))
    assert rejected_lines(file) == list(range(3, 1000, 3))
    assert [error["line"] for error in file.result["first_errors"]] == list(range(3, 63, 3))
    assert (file.result["accepted"], file.result["rejected"]) == (666, 333)
    assert len(seen) == 2
    assert parsing_threads() == []


class StopWhileParsing:
    """A stop event of the worker that is set once a block is being parsed."""

    def __init__(self) -> None:
        self.is_parsing = threading.Event()
        self.is_felt = threading.Event()
        self.has_ended = False

    def is_set(self) -> bool:
        if self.is_parsing.is_set():
            self.is_felt.set()
        return self.is_felt.is_set()

    def parse(self, block: Block, layout: Layout) -> ParsedBlock:
        # The file has been read by then, and the main thread waits for this block.
        time.sleep(0.2)
        self.is_parsing.set()
        assert self.is_felt.wait(3)
        time.sleep(0.1)
        self.has_ended = True
        return parse_block(block, layout)


def test_a_stop_is_felt_while_a_block_is_parsed_and_leaves_nothing(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(content(30))
    before = set(store().list_objects())
    stop = StopWhileParsing()
    with monkeypatch.context() as patched:
        patched.setattr(file_parsing, "parse_block", stop.parse)
        patched.setattr(file_parsing, "CHECK_SECONDS", 0.001)
        process_file(file.pk, stopping=stop)
    assert stop.has_ended
    file.refresh_from_db()
    assert (file.status, file.attempts) == (File.Status.PENDING, 0)
    assert set(store().list_objects()) == before
    assert not CityTotals.unscoped.filter(file=file).exists()
    assert parsing_threads() == []
    assert process_file(file.pk)
    file.refresh_from_db()
    assert file.result["accepted"] == 20


@pytest.mark.usefixtures("small_blocks")
def test_an_error_of_a_thread_ends_the_run_and_the_threads(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_later(block: Block, layout: Layout) -> ParsedBlock:
        if block.first_line > 20:
            raise MemoryError
        return parse_block(block, layout)

    monkeypatch.setattr(file_parsing, "parse_block", fail_later)
    file = receive(content(99))
    process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.error) == (
        File.Status.FAILURE,
        "It needs more memory than one file may use.",
    )
    assert not CityTotals.unscoped.filter(file=file).exists()
    assert parsing_threads() == []


def test_blocks_before_the_damage_of_an_archive_are_parsed(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CHUNK", 10_000)
    packed = gzip.compress(content(30_000).encode())
    file = settle(packed[:-8] + b"\0" * 8, name="yard.gz")
    assert file.error == "The gzip archive is damaged. Pack it again and upload that."
    kept = rejected_lines(file)
    assert kept == list(range(3, kept[-1] + 1, 3))
    assert kept[-1] > 20_000


@pytest.mark.usefixtures("small_blocks")
def test_few_blocks_are_held_however_fast_they_are_read(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, parsed, ahead = 0, 0, []

    def count_blocks(*args: Any, **options: Any) -> Iterator[Block]:
        nonlocal read
        for block in blocks.read_blocks(*args, **options):
            read += 1
            ahead.append(read - parsed)
            yield block

    def count_parsed(block: Block, layout: Layout) -> ParsedBlock:
        nonlocal parsed
        time.sleep(0.001)
        parsed += 1
        return parse_block(block, layout)

    monkeypatch.setattr(file_parsing, "read_blocks", count_blocks)
    monkeypatch.setattr(file_parsing, "parse_block", count_parsed)
    settle(content(600))
    assert len(ahead) > 40
    assert max(ahead) <= file_parsing.BLOCKS_AHEAD + 1


def test_progress_tells_the_rows_read_so_far(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float, int | None]] = []
    monkeypatch.setattr(Run, "progress", lambda run, fraction, rows: told.append((fraction, rows)))
    monkeypatch.setattr(blocks, "CHUNK", 500)
    process_file(receive(content(900)).pk)
    assert told == sorted(told)
    assert told[0][1] == 0
    assert 0 < told[len(told) // 2][1] < 900  # type: ignore[operator]
    assert told[-1] == (0.95, 900)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "Ort;Zeit;Temperatur\n7;25.01.2023 08:00;3,5\nOrt;Zeit;Feuchte\n7;25.01.2023 09:00;45",
            file_parsing.OTHER_TABLE.format(3, "Ort;Zeit;Feuchte"),
        ),
        (
            "city_id,temperature,timestamp\n7,1,2025-06-01T12:00\ncity_id,temperature,timestamp\n",
            "",
        ),
        ("7,1,2025-06-01T12:00\ndoor opened,humidity sensor broken,somewhen\n", ""),
    ],
)
def test_a_table_of_something_else_is_not_read_as_temperatures(
    settle: Receive, text: str, sentence: str
) -> None:
    assert settle(text).error == sentence
