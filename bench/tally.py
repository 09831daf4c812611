"""A tally sheet of 10,000 rows becomes logs, against reading the same sheet with openpyxl alone.

    .venv/bin/python bench/tally.py

The sheet is uploaded, read in the sandbox, compared, recorded with one event per log and settled,
on a new SQLite database. Compare ratios: absolute times mean nothing on shared machines.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

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
from openpyxl import Workbook, load_workbook

from timba.accounts.models import User
from timba.accounts.services import open_client
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.sandbox import close_sandbox
from timba.tallies.cells.workbook_cells import read_workbook

ROWS: Final = 10_000
# The limit for the whole processing, in seconds.
MAX_SECONDS: Final = 5.0


def main() -> None:
    """Print the seconds of each step, and their ratio to openpyxl alone."""
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    load = open_consignment(actor=staff, client=client, name="Lorry 7", type="hardwood")
    sheet, bad = workbook(), workbook(bad=100)
    bare = seconds(lambda: read_with_openpyxl(sheet))
    print(f"  {ROWS:,} rows, {len(sheet):,} bytes; openpyxl alone {bare:.2f} s")
    measure("its cells are read", bare, lambda: read_workbook(io.BytesIO(sheet)))
    rows_to_logs = measure("rows become logs", bare, lambda: send(sheet, staff, load))
    measure("the same sheet once more", bare, lambda: send(sheet, staff, load))
    measure("with 100 bad rows, marked", bare, lambda: send(bad, staff, load))
    close_sandbox()
    assert Consignment.unscoped.get(pk=load.pk).log_count == ROWS
    if rows_to_logs > MAX_SECONDS:
        sys.exit(f"  rows become logs in more than {MAX_SECONDS} s")


def workbook(*, bad: int = 0) -> bytes:
    """Return a sheet of ROWS logs, the first `bad` of them without a valid length."""
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


def read_with_openpyxl(content: bytes) -> list[Any]:
    """Return the values of a sheet, read row by row."""
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    return list(book.worksheets[0].iter_rows(values_only=True))


def send(content: bytes, actor: User, consignment: Consignment) -> None:
    """Accept a sheet as a view does, and process it as the worker does."""
    upload = Upload(name="tally.xlsx")
    upload.write(content)
    upload.finish()
    upload.identify()
    [accepted] = accept_files(
        actor=actor, client=consignment.client, uploads=[upload], consignment=consignment
    )
    process_file(accepted.file.pk)
    assert File.unscoped.get(pk=accepted.file.pk).status == File.Status.SUCCESS


def measure(name: str, bare: float, work: Callable[[], Any]) -> float:
    """Run `work`; print and return its time in seconds."""
    elapsed = seconds(work)
    print(f"  {name:<28} {elapsed:5.2f} s  {elapsed / bare:5.1f} × openpyxl alone")
    return elapsed


def seconds(work: Callable[[], Any]) -> float:
    """Return the time of `work` in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
