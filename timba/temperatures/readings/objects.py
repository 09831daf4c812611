"""Finds the objects with the readings of runs: a run is the number of one processing of a file."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from functools import partial

from timba.files.models import Derivative
from timba.files.storage import store
from timba.temperatures.readings.stored_readings import StoredReadings

Run = tuple[uuid.UUID, int]


def stored_readings_of(run: Run) -> StoredReadings:
    """Return the object with the readings of a run; raise KeyError if it is erased."""
    return stored_readings([run])[run]


def stored_readings(runs: Collection[Run]) -> dict[Run, StoredReadings]:
    """Return the objects with the readings of these runs; those that are erased are left out."""
    if not runs:
        return {}
    rows = Derivative.objects.filter(
        role=Derivative.Role.READINGS,
        file_id__in={file_id for file_id, _ in runs},
        run__in={run for _, run in runs},
    )
    return {
        (file_id, run): StoredReadings(key=key, open=partial(store().open_bytes, key))
        for file_id, run, key in rows.values_list("file_id", "run", "storage_key")
    }
