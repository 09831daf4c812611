"""Crashes Timba at every failpoint, in every way, at every passing; the same for either store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.crashes.walks import OF_POINT
from tests.journeys.timba_process import ROOT
from timba.failpoints import faults


class Matrix:
    """The cases of one store; a context."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.counts: Counter[str] = Counter()
        self.points: set[str] = set()
        self._passings: dict[str, dict[str, int]] = {}
        self._log = (folder / "log").open("wb")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIMBA_", "DATABASE_", "BROKER_", "STORAGE_", "CACHE_"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes.nursery"],
            cwd=ROOT,
            env={
                **kept,
                "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
                "TIMBA_DATA_DIR": str(folder),
                **variables,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Matrix:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._log.close()

    def crash_at(self, point: str) -> None:
        """Crash at a point in every way; fail unless all comes right each time."""
        walk = OF_POINT[point]
        often = self._often(walk)[point]
        assert often, f"{point} does not lie on the walk “{walk}”"
        end, *errors = faults(point)
        # What is passed often is passed for the same reason: the ends and the middle will do.
        for passing in sorted({1, (often + 1) // 2, often}):
            self._case(walk, f"{point}={end}@{passing}")
        # Nobody tells the errors apart: each comes once, and one at either end.
        passings = sorted({1, often})
        for number in range(max(len(errors), len(passings)) if errors else 0):
            error, passing = errors[number % len(errors)], passings[number % len(passings)]
            self._case(walk, f"{point}={error}@{passing}")
        self.points.add(point)

    def _often(self, walk: str) -> dict[str, int]:
        """Return how often each point is passed on a walk that nothing disturbs."""
        if walk not in self._passings:
            self._passings[walk] = Counter(self._case(walk, "")["passed"])
        return self._passings[walk]

    def _case(self, walk: str, order: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"walk": walk, "order": order}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert found["troubles"] == [], f"{order}: {found['troubles']}"
        self.counts.update(found["counts"])
        self.counts["cases"] += 1
        return found
