"""Failpoints: disarmed they do nothing, armed they fail as ordered; each has a crash test."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from tests.journeys.timba_process import ROOT
from timba.failpoints import EXIT_CODE, POINTS, arm, failpoint


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm("")


def points_in(folder: Path, *functions: str) -> list[str]:
    """Return the literal points that the code in a folder gives to these functions."""
    found = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in functions:
                point = node.args[0]
                assert isinstance(point, ast.Constant), f"{path}: a point must be a literal"
                found.append(point.value)
    return found


def test_each_point_is_once_in_the_code_and_has_one_crash_test() -> None:
    assert sorted(points_in(ROOT / "timba", "failpoint")) == sorted(POINTS)
    crashed = points_in(ROOT / "tests/crashes", "crash", "crash_local", "crash_s3")
    assert sorted(crashed) == sorted(POINTS)


def test_a_disarmed_failpoint_does_nothing() -> None:
    arm("")
    failpoint("receiving.object_stored")


def test_a_failpoint_fails_once_at_the_ordered_pass() -> None:
    arm("receiving.object_stored=enospc@2")
    failpoint("receiving.object_stored")
    failpoint("storage.opened")
    with pytest.raises(OSError, match="No space left on device"):
        failpoint("receiving.object_stored")
    failpoint("receiving.object_stored")


@pytest.mark.parametrize(
    ("order", "failure"),
    [
        ("processing.claimed=eio", OperationalError),
        ("storage.erased=eio", OSError),
        ("s3.object_put=reset", ConnectionResetError),
    ],
)
def test_a_fault_is_the_error_of_its_kind_of_failpoint(
    order: str, failure: type[Exception]
) -> None:
    arm(order)
    with pytest.raises(failure):
        failpoint(order.partition("=")[0])


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ("receiving.object_stord=exit", "names 'receiving.object_stord', which is no failpoint"),
        ("receiving.object_stored", "Give it like receiving.object_stored=exit@2"),
        ("receiving.object_stored=exit@0", "Give it like receiving.object_stored=exit@2"),
        (
            "storage.erased=enospc",
            "names the fault 'enospc'; at storage.erased it can be exit, eio",
        ),
    ],
)
def test_a_malformed_order_is_rejected(order: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        arm(order)


def manage(order: str, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIMBA_FAILPOINT": order}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_process_does_not_start_with_an_unknown_failpoint() -> None:
    response = manage("receiving.object_stord=exit", "check")
    assert response.returncode != 0
    assert "which is no failpoint" in response.stderr


def test_a_process_exits_at_the_failpoint_of_its_environment() -> None:
    code = "from timba.failpoints import failpoint; failpoint('relay.marked'); print('lives')"
    response = manage("relay.marked=exit", "shell", "-c", code)
    assert response.returncode == EXIT_CODE
    assert "lives" not in response.stdout


def test_the_deployment_check_rejects_a_failpoint(settings: Any) -> None:
    settings.TIMBA_FAILPOINT = "relay.marked=exit"
    found = [
        problem.msg
        for problem in run_checks(include_deployment_checks=True)
        if problem.id == "timba.E020"
    ]
    assert found == ["TIMBA_FAILPOINT is 'relay.marked=exit': Timba fails there on purpose."]
