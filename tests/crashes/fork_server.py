"""Runs crash cases in processes that are forked from this one: loading Timba once takes seconds.

Each line read from standard input orders a case, each line written is its outcome, both in JSON.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections

django.setup()

from django.conf import settings  # noqa: E402
from django.core.files.storage import storages  # noqa: E402

from tests.crashes.harness import Installation  # noqa: E402
from tests.crashes.invariants import settle, violations  # noqa: E402
from tests.crashes.scenarios import SCENARIOS, leave_leftovers  # noqa: E402
from tests.factories import UserFactory  # noqa: E402
from timba import failpoints  # noqa: E402
from timba.accounts.tokens import issue_tokens  # noqa: E402
from timba.files.s3 import S3Storage  # noqa: E402

TEMPLATE = Path(settings.DATABASES["default"]["NAME"])
# The sandbox's child loads only the processors that the scenarios need.
settings.FILE_PROCESSORS = [
    "timba.files.processors.photo.PROCESSOR",
    "timba.files.processors.text.PROCESSOR",
    "timba.temperatures.processor.PROCESSOR",
]


class ForkServer:
    """Has a template of an empty installation, and copies it for each case."""

    def __init__(self) -> None:
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        self._token = issue_tokens(user=UserFactory()).access
        connections.close_all()
        self._count = 0
        # Whatever is loaded or built at its first use is so here, not in each child.
        folder = self._create_folder()
        site = Installation(folder, token=self._token)
        for name in ("upload_text", "upload_readings", "delete_file"):
            SCENARIOS[name](site)
        settle(site)
        violations(site)
        connections.close_all()
        shutil.rmtree(folder)
        # A garbage collection in a child would copy the pages that it shares with this process.
        gc.disable()
        gc.freeze()

    def run(self, scenario: str, order: str) -> dict[str, Any]:
        """Run a scenario with a failpoint armed, then again without; return the outcome."""
        folder = self._create_folder()
        if scenario == "sweep_leftovers":
            self._fork(folder, leave_leftovers, failpoints.EXIT_CODE)
        if "=exit" in order:
            self._fork(folder, partial(fail, scenario=scenario, order=order), failpoints.EXIT_CODE)
            outcome = self._fork(folder, partial(recover, scenario=scenario))
        else:
            # The process survives an error.
            outcome = self._fork(folder, partial(fail_and_recover, scenario=scenario, order=order))
        shutil.rmtree(folder)
        return dict(outcome)

    def _create_folder(self) -> Path:
        self._count += 1
        folder = TEMPLATE.parent / f"case-{self._count}-{os.getpid()}"
        folder.mkdir()
        for path in TEMPLATE.parent.glob(f"{TEMPLATE.name}*"):
            shutil.copy(path, folder)
        if isinstance(storages["default"], S3Storage):
            storages["default"].client.create_bucket(Bucket=folder.name)
        return folder

    def _fork(self, folder: Path, run: Callable[..., Any], exit_code: int = 0) -> Any:
        result = folder / "result"
        result.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            try:
                result.write_text(json.dumps(run(Installation(folder, token=self._token))))
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != exit_code:
            raise RuntimeError(f"a child ended with {code}, not {exit_code}; see the log")
        return json.loads(result.read_text()) if code == 0 else None


def fail(site: Installation, scenario: str, order: str) -> dict[str, Any]:
    """Run a scenario with a failpoint armed; return how often each point was passed."""
    failpoints.arm(order)
    armed = failpoints._hook
    passed: Counter[str] = Counter()
    raised = []

    def count(name: str) -> None:
        passed[name] += 1
        try:
            if armed is not None:
                armed(name)
        except Exception:
            raised.append(name)
            raise

    failpoints.set_hook(count)
    SCENARIOS[scenario](site)
    return {"passed": passed, "violations": ["nothing failed"] if order and not raised else []}


def recover(site: Installation, scenario: str) -> dict[str, Any]:
    site.wait(timedelta(minutes=2))
    SCENARIOS[scenario](site)
    settle(site)
    return {"violations": violations(site), "acknowledged": len(site.acknowledged)}


def fail_and_recover(site: Installation, scenario: str, order: str) -> dict[str, Any]:
    failed = fail(site, scenario, order)
    failpoints.arm("")
    recovered = recover(site, scenario)
    recovered["violations"] += failed["violations"]
    return {**failed, **recovered}


if __name__ == "__main__":
    outcomes = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # log lines are no outcomes
    server = ForkServer()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            outcome = server.run(**order)
        except Exception as error:  # noqa: BLE001 - the test reports it
            traceback.print_exc()
            outcome = {"violations": [repr(error)]}
        print(json.dumps(outcome), file=outcomes, flush=True)
