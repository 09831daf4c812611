"""One call for 1,000 files, against one call for each: the same changes by `/api/files/bulk/`.

    .venv/bin/python bench/bulk_files.py

By default on a new SQLite database; set DATABASE_URL for an empty database of another server, as
`tools/services run --durable postgres` does. Compare ratios: absolute times mean nothing on shared
machines.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{_FOLDER.name}/timba.sqlite3"),
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django

django.setup()
logging.disable(logging.WARNING)

from django.core.management import call_command

from timba.accounts.models import User
from timba.accounts.services import open_client
from timba.consignments.services import open_consignment
from timba.files.bulk import Action, change_files
from timba.files.models import File
from timba.files.receiving import Upload, accept_files
from timba.files.services import delete_file, link_file
from timba.files.trash import get_restorable, restore_file

FILES: Final = 1000
# Of which each is also done one by one.
SINGLE: Final = 100


def main() -> None:
    """Print the milliseconds of a file in one call, alone, and their ratio."""
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    consignment = open_consignment(actor=staff, client=client, name="Load", type="hardwood")
    uploads = []
    for number in range(FILES):
        upload = Upload(name=f"{number}.csv")
        upload.write(f"7,{number % 30},2026-01-01T00:00:00Z\n{number + 1},1,2026-01-01\n".encode())
        upload.finish()
        upload.identify(kind="temperatures")
        uploads.append(upload)
    files = [
        accepted.file for accepted in accept_files(actor=staff, client=client, uploads=uploads)
    ]
    File.unscoped.update(status="SUCCESS", queue="")
    alone = {
        "move": partial(link_file, actor=staff, consignment=consignment),
        "delete": partial(delete_file, actor=staff),
        "restore": partial(restore_file, actor=staff),
    }
    actions: tuple[Action, ...] = ("move", "delete", "restore")
    for action in actions:
        started = time.perf_counter()
        for file in files[:SINGLE]:
            alone[action](file=get_restorable(staff, file.pk))
        single = (time.perf_counter() - started) / SINGLE
        rest = [file.pk for file in files[SINGLE:]]
        place = consignment if action == "move" else None
        started = time.perf_counter()
        outcome = change_files(actor=staff, file_ids=rest, action=action, consignment=place)
        bulk = (time.perf_counter() - started) / len(rest)
        assert outcome.done == rest
        print(
            f"{action:8} {1000 * bulk:6.2f} ms a file in one call, {1000 * single:6.2f} ms alone: "
            f"ratio {bulk / single:.2f}"
        )


if __name__ == "__main__":
    main()
