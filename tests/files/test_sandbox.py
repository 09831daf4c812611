"""Whatever a malicious file makes its reader do, the file fails with a sentence, and no more."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive, UseProcessors, forget_processors
from tests.files.samples import MemorySource
from tests.files.untrusted_code import run_text
from timba.config.settings.base import FILE_PROCESSORS
from timba.files import sandbox
from timba.files.leases import Run, claim
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.processors.base import FileRefused, Superseded
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
from timba.metrics import SANDBOX_KILLS

pytestmark = pytest.mark.django_db

PID = "import os; findings = {'pid': os.getpid()}"
WAIT = "import time\nwhile True: time.sleep(1)"
LOOP = "while True: pass"
# Does not end by any signal that it can ignore.
STUBBORN_LOOP = f"""
import signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
{LOOP}
"""


@pytest.fixture(scope="module", autouse=True)
def _run_texts() -> Iterator[None]:
    """Read texts in the sandbox by running them."""
    with override_settings(FILE_PROCESSORS=["tests.files.untrusted_code.PROCESSOR"]):
        forget_processors()
        yield
    forget_processors()


def respond(line: str) -> str:
    """Return code that sends a response of its own to the parent, and exits."""
    return f"import os\nos.write(0, {line.encode()!r} + b'\\n')\nos._exit(0)"


REFUSE = """
from timba.files.processors.base import FileRefused
raise FileRefused("It has a reason.")
"""
FAILURES = {
    "too much memory": ("bytearray(1024**3)", OUT_OF_MEMORY),
    "endless recursion": ("def recurse(): recurse()\nrecurse()", OUT_OF_MEMORY),
    "exit": ("raise SystemExit", UNREADABLE),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", CRASHED),
    "large findings": ("findings = {'text': 'x' * 5_000_000}", TOO_MANY_FINDINGS),
    "findings too large for memory": ("findings = {'text': 'x' * 500_000_000}", CRASHED),
    "large objects": ("objects = {'large': bytes(68_000_000)}", TOO_MANY_FINDINGS),
    "no JSON": (respond("not JSON"), CRASHED),
    "objects that do not follow": (respond('{"findings": {}, "sizes": {"a": 7}}'), CRASHED),
    "refusal": (REFUSE, "It has a reason."),
}


@pytest.mark.parametrize("name", FAILURES)
def test_whatever_the_reader_does_the_file_ends_and_the_next_one_is_fine(
    settle: Receive, name: str
) -> None:
    code, sentence = FAILURES[name]
    file = settle(code)
    assert (file.status, file.error, file.result) == (File.Status.FAILURE, sentence, None)
    assert settle(PID).status == File.Status.SUCCESS


@pytest.mark.parametrize(
    "response",
    [
        "not JSON",
        "[" * 50_000,
        '{"neither": 1}',
        '{"findings": 7}',
        '{"refused": ["no", "text"]}',
        '{"findings": {}}',
        '{"findings": {}, "sizes": {"a": -1}}',
        '{"findings": {}, "sizes": {"a": true}}',
        '{"findings": {}, "sizes": {"a": "1"}}',
        '{"findings": {}, "sizes": {"a": 99999999999}}',
        '{"findings": {}, "sizes": {"a": 40000000, "b": 40000000}}',
    ],
)
def test_an_invalid_response_is_refused(response: str) -> None:
    with pytest.raises(FileRefused) as refusal:
        sandbox._parse_response(response.encode())
    assert str(refusal.value) == CRASHED


def test_a_reader_that_never_ends_is_ended(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = settle(PID).result["pid"]
    with monkeypatch.context() as impatient:
        impatient.setattr(sandbox, "WALL_CLOCK_SECONDS", 0.5)
        kills = SANDBOX_KILLS.labels("time_limit")
        before = kills._value.get()
        file = settle(STUBBORN_LOOP)
    assert (file.status, file.error) == (File.Status.FAILURE, TIMED_OUT)
    assert kills._value.get() == before + 1
    assert not Path(f"/proc/{pid}").exists()
    assert settle(PID).result["pid"] != pid


@pytest.mark.parametrize(
    ("size", "seconds"), [(1, 15), (200_000, 16), (1024**2, 25), (5 * 1024**2, 60), (10**9, 60)]
)
def test_the_cpu_time_of_a_file_depends_on_its_size(size: int, seconds: int) -> None:
    assert cpu_seconds_for(size) == seconds


def test_a_reader_that_only_computes_is_ended_after_its_cpu_time(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_MIN_CPU_SECONDS", 1)
    file = settle(LOOP)
    assert (file.status, file.error, file.result) == (File.Status.FAILURE, TIMED_OUT, None)


def test_the_lease_of_a_slow_file_is_renewed_while_it_is_read(
    receive: Receive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_LEASE_SECONDS = 1
    file = claim(receive(WAIT).pk)
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
    file = claim(receive(WAIT).pk)
    assert file is not None
    File.unscoped.filter(pk=file.pk).update(fencing_token=file.fencing_token + 1)
    with pytest.raises(Superseded):
        read_in_sandbox(processors()["text"], Run(file=file))


def run(code: str, extra: bytes = b"") -> dict[str, object]:
    """Run code in the sandbox; return its findings and objects."""
    result = run_in_sandbox(run_text, MemorySource(code.encode()), extra=extra)
    return {**result.findings, **result.objects}


def test_the_child_is_reused_and_replaced_after_a_number_of_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close_sandbox()
    monkeypatch.setattr(sandbox, "_FILES_PER_CHILD", 2)
    pids = [run(PID)["pid"] for _ in range(5)]
    assert pids == [pids[0]] * 2 + [pids[2]] * 2 + [pids[4]]
    assert len(set(pids)) == 3


def test_the_child_is_replaced_after_memory_ran_out() -> None:
    before = run(PID)["pid"]
    with pytest.raises(FileRefused):
        run("bytearray(1024**3)")
    assert run(PID)["pid"] != before


def test_a_child_that_was_killed_is_replaced() -> None:
    before = run(PID)["pid"]
    os.kill(before, 9)
    assert run(PID)["pid"] != before


def sandboxed_children() -> set[int]:
    """Return the processes in which this one reads files; a browser may be its child too."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = {int(pid) for task in tasks for pid in task.read_text().split()}
    return {pid for pid in pids if sandbox._START_CHILD in Path(f"/proc/{pid}/cmdline").read_text()}


def kill_children(times: int, *, then: Callable[[], None]) -> threading.Thread:
    """Kill the next `times` sandboxed children, each after some time to start."""

    def kill() -> None:
        killed: set[int] = set()
        while len(killed) < times:
            time.sleep(0.5)
            for pid in sandboxed_children() - killed:
                os.kill(pid, 9)
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
        times, then=lambda: monkeypatch.setattr(sandbox, "WALL_CLOCK_SECONDS", 0.5)
    )
    file = settle(WAIT)
    killer.join()
    assert (file.status, file.error) == (File.Status.FAILURE, sentence)


@pytest.mark.parametrize("start", ["raise SystemExit(1)", "import time; time.sleep(60)"])
def test_a_file_waits_while_no_child_can_be_started(
    receive: Receive, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    close_sandbox()
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_START_CHILD", start)
        patch.setattr(sandbox, "_START_SECONDS", 0.1)
        file = receive(PID)
        process_file(file.pk)
    file.refresh_from_db()
    assert (file.status, file.attempts, file.error) == (File.Status.PENDING, 0, "")
    assert file.lease_until > timezone.now()  # it is tried again after a pause


def test_each_thread_has_a_child_of_its_own_and_ends_it() -> None:
    mine = run(PID)["pid"]
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


@pytest.mark.parametrize("size", [0, 60_000_000])
def test_objects_are_returned_complete_with_the_findings(size: int) -> None:
    code = "findings = {'read': True}; objects = {'small': b'\\n\\0small', 'large': bytes(%d)}"
    assert run(code % size) == {"read": True, "small": b"\n\0small", "large": bytes(size)}


@pytest.mark.parametrize("extra", [b"", b"\0\nextra", b"x" * 5_000_000])
def test_a_reader_reads_the_file_and_the_extra_input(extra: bytes) -> None:
    code = "objects = {'extra': source.open_extra().read(), 'file': source.open().read()}"
    assert run(code, extra) == {"extra": extra, "file": code.encode()}


def test_what_the_reader_prints_goes_nowhere() -> None:
    code = "import os\nfor _ in range(1000): os.write(1, bytes(1_000_000))\nfindings = {'end': 1}"
    assert run(code) == {"end": 1}


def test_a_forbidden_call_ends_the_reader_and_is_logged(
    settle: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    assert settle(f"import os; os.kill({os.getpid()}, 0)").error == CRASHED
    [warning] = [record.msg for record in caplog.records if record.levelname == "WARNING"]
    assert warning["event"] == "sandbox_forbidden_call"


def test_the_reader_opens_no_file_starts_no_process_and_allows_itself_no_more_memory(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret_key"
    secret.write_text("keep me")
    attempts = [
        f"open({str(secret)!r})",
        f"open({str(secret)!r}, 'w')",
        f"open({str(tmp_path / 'new')!r}, 'x')",
        "os.fork()",
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)",
    ]
    code = "import os, resource\nfindings = {}\n"
    for number, attempt in enumerate(attempts):
        code += f"try: {attempt}\nexcept (OSError, ValueError) as e: findings[{number}] = str(e)\n"
    forbidden = "[Errno 1] Operation not permitted"
    assert list(run(code).values()) == [
        *(f"{forbidden}: {path!r}" for path in (str(secret), str(secret), str(tmp_path / "new"))),
        forbidden,
        "not allowed to raise maximum limit",
    ]
    assert secret.read_text() == "keep me"


def test_the_reader_inherits_nothing_but_its_channel() -> None:
    descriptors = Path(f"/proc/{run(PID)['pid']}/fd")
    assert sorted(path.name for path in descriptors.iterdir()) == ["0", "1", "2"]
    assert [descriptors.joinpath(name).readlink() for name in "12"] == [Path(os.devnull)] * 2


def test_values_that_no_database_stores_are_cleaned(settle: Receive) -> None:
    result = settle(
        r"findings = {'text': 'a\0b\ud800c', 'number': float('nan'),"
        r" 'lar\0ch': [float('inf'), '\udfff']}"
    ).result
    assert result["text"] == "a\ufffdb\ufffdc"
    assert result["number"] is None
    assert result["lar\ufffdch"] == [None, "\ufffd"]


def test_findings_that_cannot_be_serialized_are_a_failure(settle: Receive) -> None:
    file = settle("nested = 0\nfor _ in range(400): nested = [nested]\nfindings = {'a': nested}")
    assert file.status == File.Status.FAILURE
    assert file.error.endswith("The file is safe; try again, or ask for help.")


def test_the_reader_has_neither_environment_nor_django(use_processors: UseProcessors) -> None:
    use_processors(*FILE_PROCESSORS, "tests.files.untrusted_code.PROCESSOR")
    names, modules = run(
        "import os, sys; findings = {'names': sorted(os.environ), 'modules': sorted(sys.modules)}"
    ).values()
    assert "timba.tallies.annotate" in modules
    # Python itself sets LC_CTYPE where no locale is given.
    assert set(names) <= {*sandbox._ONE_THREAD, "LC_CTYPE"}
    assert not [name for name in modules if name.split(".")[0] == "django"]
