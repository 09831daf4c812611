"""A protection that the machine lacks is always reported."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Lack
from tests.files.conftest import UseProcessors
from tests.files.missing_protection import python_without
from tests.files.samples import MemorySource, pdf
from timba.files.processors.document import read_document
from timba.files.protections import WARNINGS, missing_protections
from timba.files.registry import check_sandbox
from timba.files.sandbox import run_in_sandbox
from timba.files.sandbox_limits import PROTECTIONS
from timba.isolated_python import isolated_python


def test_this_machine_lacks_none() -> None:
    missing_protections.cache_clear()
    assert missing_protections() == ()
    assert check_sandbox(None) == []


@pytest.mark.parametrize("name", PROTECTIONS)
def test_files_are_read_without_it_and_the_operator_is_warned(
    lack: Lack, use_processors: UseProcessors, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    use_processors("timba.files.processors.document.PROCESSOR")
    lack(name)
    for _ in range(2):
        assert run_in_sandbox(read_document, MemorySource(pdf())).findings["pages"] == 1
    [warning] = [record.msg for record in caplog.records if record.levelname == "WARNING"]
    assert (warning["event"], warning["hint"]) == WARNINGS[name]
    [problem] = check_sandbox(None)
    assert (problem.msg, problem.hint, problem.id) == (*WARNINGS[name], "timba.W023")


def test_no_file_is_read_where_more_is_missing_than_the_operator_was_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(python_without("landlock", tmp_path)))
    command = isolated_python("from timba.files.sandbox_child import main; main()")
    channel, theirs = socket.socketpair()
    with channel, theirs:
        ended = subprocess.run(
            [*command, "seccomp", ""], stdin=theirs, capture_output=True, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "The sandbox lacks landlock.\n")
