"""Walks, crashes and looks again, in processes that are forked from this one in a blink.

Loading Timba takes seconds; it is done once here. Each line read orders one case, each line
printed is what came of it.
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
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections

django.setup()

from django.conf import settings  # noqa: E402
from django.core.files.storage import storages  # noqa: E402

from tests.crashes.verdict import settle, verdict  # noqa: E402
from tests.crashes.walks import WALKS, leave_debris  # noqa: E402
from tests.crashes.world import World  # noqa: E402
from tests.factories import ClientFactory, UserFactory  # noqa: E402
from timba import failpoints  # noqa: E402
from timba.accounts.tokens import issue_tokens  # noqa: E402
from timba.files.s3 import S3Storage  # noqa: E402

TEMPLATE = Path(settings.DATABASES["default"]["NAME"])
# The sandbox's child loads what the walks need, and no more.
settings.FILE_PROCESSORS = [
    "timba.files.processors.photo.PROCESSOR",
    "timba.files.processors.text.PROCESSOR",
    "timba.temperatures.processor.PROCESSOR",
]


class Nursery:
    """Has a template of an empty Timba, and makes a world of it for each case."""

    def __init__(self) -> None:
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        owner = UserFactory(client=ClientFactory())
        self._token = issue_tokens(user=owner).access
        connections.close_all()
        self._count = 0
        self._debris: Path | None = None
        self._get_ready()
        # What the children share stays shared: a collector that looks at it would copy it.
        gc.disable()
        gc.freeze()

    def _get_ready(self) -> None:
        """Walk here first: whatever is loaded or made at its first use, no child has to."""
        folder = self._new_world()
        world = World(folder, token=self._token)
        for walk in ("text", "readings", "trash"):
            WALKS[walk](world)
        settle(world)
        verdict(world)
        connections.close_all()
        self._remove(folder)

    def case(self, walk: str, order: str) -> dict[str, Any]:
        """Walk, fail as ordered, come back, settle; return the verdict."""
        folder = self._with_debris() if walk == "debris" else self._new_world()
        if "=exit" in order:
            self._child(folder, lambda world: _fail(world, walk, order), ends=failpoints.EXIT_CODE)
            found = self._child(folder, lambda world: _come_back(world, walk))
        else:
            # What an error has not ended goes on, with whatever the error left in it.
            found = self._child(folder, lambda world: _go_on(world, walk, order))
        self._remove(folder)
        return dict(found)

    def _with_debris(self) -> Path:
        """Make a world in which there was a crash; a folder's debris is as good when copied."""
        if self._debris is not None:
            return Path(shutil.copytree(self._debris, self._next_folder()))
        folder = self._new_world()
        self._child(folder, leave_debris, ends=failpoints.EXIT_CODE)
        if isinstance(storages["default"], S3Storage):
            return folder
        self._debris = folder
        return self._with_debris()

    def _new_world(self) -> Path:
        folder = self._next_folder()
        folder.mkdir()
        for path in TEMPLATE.parent.glob(f"{TEMPLATE.name}*"):
            shutil.copy(path, folder)
        store = storages["default"]
        if isinstance(store, S3Storage):
            store.client.create_bucket(Bucket=folder.name)
        return folder

    def _next_folder(self) -> Path:
        self._count += 1
        return TEMPLATE.parent / f"case-{self._count}-{os.getpid()}"

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder)

    def _child(self, folder: Path, do: Callable[[World], Any], *, ends: int = 0) -> Any:
        result = folder / "result"
        result.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            try:
                result.write_text(json.dumps(do(World(folder, token=self._token))))
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != ends:
            raise RuntimeError(f"a child ended with {code}, not {ends}; the log says why")
        return json.loads(result.read_text()) if code == 0 else None


def _fail(world: World, walk: str, order: str) -> dict[str, Any]:
    """Walk with a failpoint; say which points were passed, and whether it failed."""
    failpoints.arm(order)
    alarm = failpoints._hook
    passed: Counter[str] = Counter()
    failed = []

    def pass_on(name: str) -> None:
        passed[name] += 1
        try:
            if alarm is not None:
                alarm(name)
        except Exception:
            failed.append(name)
            raise

    failpoints.set_hook(pass_on)
    WALKS[walk](world)
    troubles = [*world.failures, *(["nothing failed"] if order and not failed else [])]
    return {"passed": passed, "troubles": troubles}


def _go_on(world: World, walk: str, order: str) -> dict[str, Any]:
    seen = _fail(world, walk, order)
    failpoints.arm("")
    found = _come_back(world, walk)
    return {**found, "passed": seen["passed"], "troubles": seen["troubles"] + found["troubles"]}


def _come_back(world: World, walk: str) -> dict[str, Any]:
    world.wait(timedelta(minutes=2))
    WALKS[walk](world)
    settle(world)
    return verdict(world)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is logged is none of the answers
    nursery = Nursery()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            found = nursery.case(order["walk"], order["order"])
        except Exception as trouble:  # noqa: BLE001 - the test says it
            traceback.print_exc()
            found = {"counts": {}, "troubles": [repr(trouble)], "passed": None}
        print(json.dumps(found), file=answers, flush=True)


main()
