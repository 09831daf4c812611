"""`timba lake` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.journeys.processes import wait_until
from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake
from timba.events.leases import is_held
from timba.events.models import ProcessLease, Stream
from timba.files.models import Derivative, File
from timba.files.storage import new_key

FILES = 5_000


def copy_rows(file: File) -> None:
    """Add files with the same objects, as if they were of other readings."""
    (readings,) = Derivative.objects.filter(file=file, role="readings")
    files = [File.unscoped.get(pk=file.pk) for _ in range(FILES)]
    for number, copy in enumerate(files):
        copy.pk, copy.live_digest = uuid.uuid4(), f"{number:064x}"
        copy.storage_key, copy.task_id = new_key(), uuid.uuid4()
    File.unscoped.bulk_create(files)
    Derivative.objects.bulk_create(
        Derivative(
            file=copy,
            run=readings.run,
            is_current=True,
            role=readings.role,
            storage_key=readings.storage_key,
        )
        for copy in files
    )


@pytest.mark.only_on("sqlite")
def test_sigterm_ends_a_first_round_of_many_files_at_once(
    lake: Lake, settle: Receive, tmp_path: Path
) -> None:
    copy_rows(settle("7,21.50,2026-06-01T12:00:00Z\n"))
    surroundings = {
        "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
        "TIMBA_DATA_DIR": str(tmp_path),
        "TIMBA_LAKE_CATALOG": settings.TIMBA_LAKE_CATALOG,
        "TIMBA_LAKE_WAREHOUSE": settings.TIMBA_LAKE_WAREHOUSE,
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "STORAGE_URL": "",
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "lake"],
        cwd=Path(__file__).parents[3],
        env=os.environ | surroundings,
    )
    try:
        wait_until(lambda: is_held(ProcessLease.Name.LAKE), seconds=60, what="the lease is held")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    finally:
        process.kill()
        process.wait()
    assert not is_held(ProcessLease.Name.LAKE)
    (stream,) = Stream.objects.all()
    assert lake.position(stream.client_id) is None
