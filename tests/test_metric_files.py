"""Processes count in files, whose sums do not change when processes end or a disk is full."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from timba.metric_files import ProcessesCollector, ProcessFile

_COUNT = """
import sys
from timba.metrics import FILE_SECONDS, SIGN_IN_REFUSALS
for line in sys.stdin:
    SIGN_IN_REFUSALS.labels("credentials").inc()
    FILE_SECONDS.labels("photo", "SUCCESS").observe(1.5)
    print("counted", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


class Counting:
    """A process that counts one refusal and one file each time it is told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COUNT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "counted\n"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@contextmanager
def counting(number: int) -> Iterator[list[Counting]]:
    processes = [Counting() for _ in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()


def totals() -> dict[str, float]:
    """Return the refusals, the files, and the files of at most 0.5 and 2 seconds."""
    samples = {
        f"{sample.name}{sample.labels.get('le', '')}": sample.value
        for metric in ProcessesCollector().collect()
        for sample in metric.samples
    }
    return {
        "refusals": samples["timba_sign_in_refusals_total"],
        "files": samples["timba_file_seconds_count"],
        "seconds": samples["timba_file_seconds_sum"],
        "le 0.5": samples["timba_file_seconds_bucket0.5"],
        "le 2": samples["timba_file_seconds_bucket2.0"],
    }


def expected(count: int) -> dict[str, float]:
    seconds = 1.5 * count
    return {"refusals": count, "files": count, "seconds": seconds, "le 0.5": 0, "le 2": count}


def test_counts_of_ended_processes_stay_and_their_files_go(folder: Path) -> None:
    with counting(3) as processes:
        for process in processes:
            process.count()
        assert totals() == expected(3)
        assert len(list(folder.glob("*.db"))) == 6
        for number, process in enumerate(processes[:2]):
            process.kill()
            processes[2].count()
            assert totals() == expected(4 + number)
            own = [path.name for path in folder.glob("*.db") if "ended" not in path.name]
            assert len(own) == 2 * (2 - number)
    assert totals() == expected(5)
    assert {path.name for path in folder.glob("*")} == {"counter_ended.db", "histogram_ended.db"}


def test_files_of_ended_processes_do_not_grow_with_their_number(folder: Path) -> None:
    sizes = set()
    for number in range(1, 5):
        with counting(1) as [process]:
            process.count()
        assert totals() == expected(number)
        sizes.add((folder / "histogram_ended.db").stat().st_size)
    assert max(sizes) < 8192


def test_a_process_reserves_the_space_that_it_writes_to(folder: Path) -> None:
    """A write to a hole of a file would kill the process where the disk is full."""
    path = folder / "counter_x.db"
    ProcessFile(str(path)).close()
    status = path.stat()
    assert status.st_blocks * 512 >= status.st_size > 0


def test_without_a_place_for_files_a_process_counts_in_memory(tmp_path: Path) -> None:
    values = ProcessFile(str(tmp_path / "absent" / "counter_x.db"))
    values.write_value("key", 7.0, 0.0)
    assert values.read_value("key") == (7.0, 0.0)
    values.close()
    assert not list(tmp_path.iterdir())
