"""A tally sheet of 10,000 rows becomes logs, against reading the same sheet with calamine alone.

    .venv/bin/python bench/tally.py

Uploaded, read in the sandbox, compared, recorded with an event a log and settled, on a fresh SQLite
database of its own. The ratio is what to look at: absolute times mean nothing on shared machines.
"""

# ruff: noqa: E402 - settings are chosen, and Django is set up, before anything of Timba is imported

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

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
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from timba.accounts.models import User
from timba.accounts.services import open_client
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.sandbox import close_sandbox

ROWS: Final = 10_000
# The most that all of it may take.
SECONDS: Final = 5.0


def main() -> None:
    """Print the seconds of each step, and their ratio to bare reading."""
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    load = open_consignment(actor=staff, client=client, name="Lorry 7", type="hardwood")
    sheet, bad = workbook(), workbook(bad=100)
    bare = seconds(
        lambda: list(
            CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).iter_rows()
        )
    )
    print(f"  {ROWS:,} rows, {len(sheet):,} bytes; calamine alone {bare:.2f} s")
    rows_to_logs = told("rows become logs", bare, lambda: send(sheet, staff, load))
    told("the same sheet once more", bare, lambda: send(sheet, staff, load))
    told("with 100 bad rows, marked", bare, lambda: send(bad, staff, load))
    close_sandbox()
    assert Consignment.unscoped.get(pk=load.pk).log_count == ROWS
    if rows_to_logs > SECONDS:
        sys.exit(f"  rows become logs in more than {SECONDS} s")


def workbook(*, bad: int = 0) -> bytes:
    """Return a sheet of so many logs, the first of them without a length."""
    book = Workbook(write_only=True)
    page = book.create_sheet("Tally")
    page.append(["No.", "Barcode", "Length (m)", "Breadth (cm)", "Height (cm)", "Species"])
    for number in range(1, ROWS + 1):
        length = "?" if number <= bad else 3 + number % 30 / 10
        measures = (length, 20 + number % 17, 18 + number % 13 / 2)
        page.append([number, f"LV-{number:06}", *measures, "oak"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def send(content: bytes, actor: User, consignment: Consignment) -> None:
    """Send a sheet in as a door does, and process it as the worker does."""
    upload = Upload(name="tally.xlsx")
    upload.write(content)
    upload.finish()
    upload.identify()
    [accepted] = accept_files(
        actor=actor, client=consignment.client, uploads=[upload], consignment=consignment
    )
    process_file(accepted.file.pk)
    assert File.unscoped.get(pk=accepted.file.pk).status == File.Status.SUCCESS


def told(name: str, bare: float, work: Callable[[], Any]) -> float:
    """Do the work; print and return how long it took."""
    took = seconds(work)
    print(f"  {name:<28} {took:5.2f} s  {took / bare:5.1f} × calamine alone")
    return took


def seconds(work: Callable[[], Any]) -> float:
    """Return how long the work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
