"""What a change of one file costs the lake, with few files in it and with many, on SQLite.

    .venv/bin/python bench/lake.py

Most files of the table are entries alone, copies of one: the follower reads no object that is in
the table already. Compare ratios: absolute times mean nothing on shared machines.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import copy
import logging
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": f"sqlite:///{_FOLDER.name}/timba.sqlite3",
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django

django.setup()
logging.disable(logging.WARNING)

from django.core.management import call_command
from pyiceberg.conversions import to_bytes
from pyiceberg.types import StringType

from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.files.models import Derivative, File
from timba.files.services import delete_file
from timba.files.storage import new_key, store
from timba.temperatures.lake.catalog import FILE_ID, object_address, open_table
from timba.temperatures.lake.commits import MAX_ENTRIES, commit_entries
from timba.temperatures.lake.contents import iter_data_files
from timba.temperatures.lake.follower import Follower

REPEATS: Final = 7
CATCH_UP: Final = 1000


def main() -> None:
    """Time the changes with 100, 1,000 and 10,000 files, then a new client's 1,000 files."""
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    settle(staff, client, 0)
    run_follower()
    published, deleted = {}, {}
    present = 1
    for files in (100, 1000, 10_000):
        add_entries(files - present)
        present = files
        follower = Follower()
        starting = seconds(follower.run_once)
        times = [change_one(staff, client, follower, files + n) for n in range(REPEATS)]
        follower.close()
        published[files], deleted[files] = map(statistics.median, zip(*times, strict=True))
        print(
            f"  {files:6,} files: start {starting:.2f} s, publish one {published[files]:.3f} s, "
            f"delete one {deleted[files]:.3f} s",
            flush=True,
        )
    print(f"  publish one, 10,000 to 100 files   {published[10_000] / published[100]:6.2f} ×")
    print(f"  delete one, 10,000 to 100 files    {deleted[10_000] / deleted[100]:6.2f} ×")
    other = open_client(actor=staff, name="Other")
    copy_files(settle(staff, other, 0), CATCH_UP - 1)
    print(f"  catch-up of {CATCH_UP:,} files           {seconds(run_follower):6.2f} s")


def change_one(staff: User, client: Client, follower: Follower, number: int) -> tuple[float, float]:
    """Return the seconds until a new file is in the table, and until it is out of it."""
    file = settle(staff, client, number)
    published = seconds(follower.run_once)
    delete_file(actor=staff, file=file)
    return published, seconds(follower.run_once)


def settle(staff: User, client: Client, number: int) -> File:
    lines = (f"{city},{city}.50,2026-06-01T12:00:00.{number:06d}Z\n" for city in range(1, 31))
    return settle_readings("".join(lines), actor=staff, client=client, name=f"{number}.csv")


def copy_files(file: File, count: int) -> None:
    """Add rows and objects that are those of `file` but for their ids."""
    row = Derivative.objects.get(file=file, role="readings", is_current=True)
    with store().open_bytes(row.storage_key) as stream:
        content = stream.read().replace(str(file.pk).encode(), b"%s")
    files, rows = [], []
    for _ in range(count):
        file.pk, file.task_id = uuid.uuid4(), uuid.uuid4()
        file.live_digest, row.pk = None, None
        file.storage_key, row.file_id, row.storage_key = new_key(), file.pk, new_key()
        files.append(copy.copy(file))
        rows.append(copy.copy(row))
        with store().create(row.storage_key) as writer:
            writer.write(content.replace(b"%s", str(file.pk).encode()))
    File.unscoped.bulk_create(files)
    Derivative.objects.bulk_create(rows)


def add_entries(count: int) -> None:
    """Add entries to the table as a follower commits them, for which there are no objects."""
    table = open_table()
    pattern = next(iter_data_files(table))
    while count > 0:
        added = []
        for _ in range(min(count, MAX_ENTRIES)):
            entry = copy.deepcopy(pattern)
            entry._data[1] = object_address(new_key())  # noqa: SLF001 - it has no setter
            limit = to_bytes(StringType(), str(uuid.uuid4()))
            entry.lower_bounds[FILE_ID] = entry.upper_bounds[FILE_ID] = limit
            added.append(entry)
        commit_entries(table, added=added, deleted=(), holders=(), summary={}, properties={})
        count -= len(added)
    table.catalog.close()


def run_follower() -> None:
    Follower().catch_up()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
