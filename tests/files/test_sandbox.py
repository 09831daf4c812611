"""Whatever a malicious file makes its reader do, the file fails with a sentence, and no more."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive, use_processors
from tests.files.malicious_reader import repeat_extra
from timba.config.settings.base import FILE_PROCESSORS
from timba.files import sandbox
from timba.files.leases import Run, claim
from timba.files.models import File
from timba.files.processors.base import Superseded
from timba.files.registry import processors
from timba.files.sandbox import (
    CRASHED,
    INTERRUPTED,
    TIMED_OUT,
    close_sandbox,
    cpu_seconds_for,
    read_in_sandbox,
    run_in_sandbox,
)
from timba.files.sandbox_child import OUT_OF_MEMORY, TOO_MANY_FINDINGS, UNREADABLE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("malicious_reader")]


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("memory", OUT_OF_MEMORY),
        ("recursion", OUT_OF_MEMORY),
        ("leave", UNREADABLE),
        ("no-such-action", UNREADABLE),
        ("segfault", CRASHED),
        ("exit", CRASHED),
        ("talk 5000000", TOO_MANY_FINDINGS),
        ("talk 500000000", CRASHED),
        ("nonsense not JSON", CRASHED),
        ('nonsense {"neither": 1}', CRASHED),
        ('nonsense {"findings": 7}', CRASHED),
        ('nonsense {"refused": ["no", "text"]}', CRASHED),
        ("nonsense " + "[" * 50_000, CRASHED),
        ('nonsense {"findings": {}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": -1}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": true}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": "1"}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": 99999999999}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": 40000000, "b": 40000000}}', CRASHED),
        ('nonsense {"findings": {}, "sizes": {"a": 7}}', CRASHED),
        ("make 68000000", TOO_MANY_FINDINGS),
        ("refuse It has a reason.", "It has a reason."),
    ],
)
def test_whatever_the_reader_does_the_file_ends_and_the_next_one_is_fine(
    settle: Receive, action: str, sentence: str
) -> None:
    file = settle(action)
    assert (file.status, file.error, file.result) == (File.Status.FAILURE, sentence, None)
    assert settle("pid").status == File.Status.SUCCESS


@pytest.mark.parametrize("action", ["loop", "loop-unkillable"])
def test_a_reader_that_never_ends_is_ended(
    settle: Receive, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    pid = settle("pid").result["pid"]
    with monkeypatch.context() as impatient:
        impatient.setattr(sandbox, "WALL_CLOCK_SECONDS", 1.0)
        file = settle(action)
    assert (file.status, file.error) == (File.Status.FAILURE, TIMED_OUT)
    assert not Path(f"/proc/{pid}").exists()
    assert settle("pid").result["pid"] != pid


@pytest.mark.parametrize(
    ("size", "seconds"), [(1, 15), (200_000, 16), (1024**2, 25), (5 * 1024**2, 60), (10**9, 60)]
)
def test_the_cpu_time_of_a_file_depends_on_its_size(size: int, seconds: int) -> None:
    assert cpu_seconds_for(size) == seconds


def test_a_reader_that_only_computes_is_ended_after_its_cpu_time(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_MIN_CPU_SECONDS", 1)
    file = settle("loop")
    assert (file.status, file.error) == (File.Status.FAILURE, TIMED_OUT)
    assert file.result is None


def test_the_lease_of_a_slow_file_is_renewed_while_it_is_read(
    receive: Receive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_LEASE_SECONDS = 1
    file = claim(receive("loop").pk)
    assert file is not None
    progress = Run.progress

    def until_renewed(run: Run, fraction: float) -> None:
        progress(run, fraction)
        if File.unscoped.get(pk=file.pk).lease_until - file.lease_until > timedelta(seconds=1):
            raise Superseded

    monkeypatch.setattr(Run, "progress", until_renewed)
    with pytest.raises(Superseded):
        read_in_sandbox(processors()["text"], Run(file=file))


def test_reading_ends_when_the_run_is_superseded(receive: Receive) -> None:
    file = claim(receive("loop").pk)
    assert file is not None
    File.unscoped.filter(pk=file.pk).update(fencing_token=file.fencing_token + 1)
    with pytest.raises(Superseded):
        read_in_sandbox(processors()["text"], Run(file=file))


def test_the_child_is_reused_and_replaced_after_a_number_of_files(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_FILES_PER_CHILD", 3)
    pids = [settle("pid").result["pid"] for _ in range(7)]
    assert pids == [pids[0]] * 3 + [pids[3]] * 3 + [pids[6]]
    assert len(set(pids)) == 3


def test_the_child_is_replaced_after_memory_ran_out(settle: Receive) -> None:
    before = settle("pid").result["pid"]
    settle("memory")
    assert settle("pid").result["pid"] != before


def test_a_child_that_was_killed_is_replaced(settle: Receive) -> None:
    before = settle("pid").result["pid"]
    os.kill(before, 9)
    assert settle("pid").result["pid"] != before


def kill_children(times: int, *, then: Callable[[], None]) -> threading.Thread:
    """Kill the next `times` children of this process, each after some time to start."""

    def kill() -> None:
        killed: set[str] = set()
        while len(killed) < times:
            time.sleep(0.5)
            tasks = Path("/proc/self/task").glob("*/children")
            for pid in {pid for task in tasks for pid in task.read_text().split()} - killed:
                os.kill(int(pid), 9)
                killed.add(pid)
        then()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize(("times", "sentence"), [(1, TIMED_OUT), (2, INTERRUPTED)])
def test_a_file_whose_child_is_killed_from_outside_is_read_once_more(
    settle: Receive, monkeypatch: pytest.MonkeyPatch, times: int, sentence: str
) -> None:
    close_sandbox()
    killer = kill_children(
        times, then=lambda: monkeypatch.setattr(sandbox, "WALL_CLOCK_SECONDS", 1.0)
    )
    file = settle("loop")
    killer.join()
    assert (file.status, file.error) == (File.Status.FAILURE, sentence)


def test_each_thread_has_a_child_of_its_own_and_ends_it(settle: Receive) -> None:
    mine = settle("pid").result["pid"]
    other: list[int] = []

    def start_and_end() -> None:
        child = sandbox._Child()
        other.append(child.process.pid)
        sandbox._local.child = child
        close_sandbox()

    thread = threading.Thread(target=start_and_end)
    thread.start()
    thread.join()
    assert other[0] != mine
    assert not Path(f"/proc/{other[0]}").exists()
    assert Path(f"/proc/{mine}").exists()


def test_objects_are_returned_complete_with_the_findings(settle: Receive) -> None:
    for size in (0, 5_000_000, 60_000_000):
        result = settle(f"make {size}").result
        assert result["made"] is True
        assert result["sizes"] == {"small": 7, "empty": 0, "large": size}


def test_an_extra_reader_reads_the_file_and_the_extra_input(receive: Receive) -> None:
    file = claim(receive("larch\n").pk)
    assert file is not None
    for extra in (b"", b"\0\nextra", b"x" * 5_000_000):
        result = run_in_sandbox(repeat_extra, Run(file=file), extra=extra)
        assert result.objects == {"extra": extra, "file": b"larch\n"}


def test_what_the_reader_prints_goes_nowhere(settle: Receive) -> None:
    assert settle("print 1000000000").result["printed"] == 1_000_000_000


def test_the_reader_has_neither_environment_nor_django(settle: Receive, settings: Settings) -> None:
    use_processors(settings, *FILE_PROCESSORS, *settings.FILE_PROCESSORS)
    result = settle("environment").result
    assert "timba.tallies.annotate" in result["modules"]
    # Python itself sets LC_CTYPE where no locale is given.
    assert set(result["names"]) <= {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}
    assert not [name for name in result["modules"] if name.split(".")[0] == "django"]


def test_the_reader_reaches_no_network(settle: Receive) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        assert settle(f"connect {canary.getsockname()[1]}").error == CRASHED
        with pytest.raises(TimeoutError):
            canary.accept()


def test_a_forbidden_call_ends_the_reader_and_is_logged(
    settle: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    for action in ("run", f"kill {os.getpid()}"):
        assert settle(action).error == CRASHED
    warnings = [record.msg for record in caplog.records if record.levelname == "WARNING"]
    assert [line["event"] for line in warnings] == ["sandbox_forbidden_call"] * 2


@pytest.mark.parametrize("action", ["fork", "thread"])
def test_the_reader_starts_no_process_and_no_thread(settle: Receive, action: str) -> None:
    assert "prevented" in settle(action).result


def test_the_reader_reads_writes_creates_and_deletes_no_file(
    settle: Receive, tmp_path: Path
) -> None:
    secret = tmp_path / "secret_key"
    secret.write_text("keep me")
    for action in ("read", "write"):
        assert "prevented" in settle(f"{action} {secret}").result
    for path in ("/etc/passwd", "/proc/self/environ", os.__file__):
        assert "prevented" in settle(f"read {path}").result
    assert "prevented" in settle(f"make-file {tmp_path}").result
    assert settle(f"remove {secret}").error == CRASHED
    assert secret.read_text() == "keep me"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret_key", "store"]


def test_the_reader_inherits_nothing_but_its_channel(settle: Receive) -> None:
    descriptors = Path(f"/proc/{settle('pid').result['pid']}/fd")

    assert sorted(path.name for path in descriptors.iterdir()) == ["0", "1", "2"]
    assert [descriptors.joinpath(name).readlink() for name in "12"] == [Path(os.devnull)] * 2


def test_values_that_no_database_stores_are_cleaned(settle: Receive) -> None:
    result = settle("poison").result
    assert result["text"] == "a\ufffdb\ufffdc"
    assert result["number"] is None
    assert result["lar\ufffdch"] == [None, "\ufffd"]


def test_findings_that_cannot_be_serialized_are_a_failure(settle: Receive) -> None:
    file = settle("nest 400")
    assert file.status == File.Status.FAILURE
    assert file.error.endswith("The file is safe; try again, or ask for help.")
