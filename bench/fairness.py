"""Time of a small file while another client's 100 heaviest files wait, against an idle worker.

    .venv/bin/python bench/fairness.py

Runs the embedded worker with its defaults, on a new SQLite database. The heavy files are photos of
50 million pixels with the maximum number of scans, tally sheets of 20,000 rows, and temperature
files of two million lines. Compare ratios: absolute times mean nothing on shared machines.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import io
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": f"sqlite:///{_FOLDER.name}/timba.sqlite3",
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
sys.path.insert(0, str(_ROOT))

import django

django.setup()
logging.disable(logging.WARNING)

from django.core.management import call_command
from openpyxl import Workbook
from PIL import Image

from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.files.models import File
from timba.files.processors.photo import MAX_PIXELS, MAX_SCANNED_PIXELS
from timba.files.receiving import Upload, accept_files

HEAVY: Final = 100
TRIES: Final = 15
_POLL_SECONDS: Final = 0.002


def main() -> None:
    """Print the time of each small file, and the ratios."""
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    many, other = (open_client(actor=staff, name=name) for name in ("Many", "Other"))
    worker = subprocess.Popen(
        [sys.executable, str(_ROOT / "manage.py"), "work"], stderr=subprocess.DEVNULL
    )
    small: dict[str, Callable[[int], bytes]] = {"note.txt": small_text, "load.jpg": small_photo}
    for name, make in small.items():  # this also starts the sandbox's child
        seconds_to_settle(name, make(0), staff, other)
    idle = {name: median_seconds(name, make, staff, other) for name, make in small.items()}
    kinds = heavy_files()
    for number, (name, content) in zip(range(HEAVY), cycle(kinds), strict=False):
        # Identical files would be rejected as duplicates.
        line = b"%d,21.50,2026-01-01T00:00:00Z\n" % number if name.endswith("csv") else b""
        accept(name, content + line, staff, many)
    for name, make in small.items():
        busy = median_seconds(name, make, staff, other)
        left = File.unscoped.filter(client=many, status=File.Status.PENDING).count()
        print(
            f"  {name}: idle {idle[name] * 1000:.0f} ms, while {left} of {HEAVY} heavy files are "
            f"left {busy * 1000:.0f} ms: {busy / idle[name]:.1f} ×"
        )
    worker.terminate()
    worker.wait()


def median_seconds(name: str, make: Callable[[int], bytes], actor: User, client: Client) -> float:
    """Return the median time in seconds from the acceptance of a small file to its result."""
    return statistics.median(
        seconds_to_settle(name, make(number), actor, client) for number in range(1, TRIES + 1)
    )


def seconds_to_settle(name: str, content: bytes, actor: User, client: Client) -> float:
    file = accept(name, content, actor, client)
    started = time.perf_counter()
    while File.unscoped.get(pk=file.pk).status == File.Status.PENDING:
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - started


def accept(name: str, content: bytes, actor: User, client: Client) -> File:
    """Accept a file as a view does."""
    upload = Upload(name=name)
    upload.write(content)
    upload.finish()
    upload.identify()
    [accepted] = accept_files(actor=actor, client=client, uploads=[upload])
    return accepted.file


def small_text(number: int) -> bytes:
    return b"larch %d\n" % number


def small_photo(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (number, 90, 60)).save(file, "JPEG")
    return file.getvalue()


def heavy_files() -> list[tuple[str, bytes]]:
    """Return the most expensive file of each kind."""
    return [
        ("scans.jpg", photo_with_many_scans()),
        ("large.png", large_photo()),
        ("tally.xlsx", large_tally()),
        ("readings.csv", b"7,21.50,2026-01-01T00:00:00Z\n" * 2_000_000),
    ]


def photo_with_many_scans() -> bytes:
    """Return a progressive JPEG with the maximum number of pixels and scans."""
    side = int(MAX_PIXELS**0.5)
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    start = content.rindex(b"\xff\xda")
    more = MAX_SCANNED_PIXELS // side**2 - content.count(b"\xff\xda")
    return content[:-2] + content[start:-2] * more + content[-2:]


def large_photo() -> bytes:
    side = int(MAX_PIXELS**0.5)
    file = io.BytesIO()
    Image.new("RGB", (side, side), (90, 120, 60)).save(file, "PNG")
    return file.getvalue()


def large_tally() -> bytes:
    book = Workbook(write_only=True)
    page = book.create_sheet("Tally")
    page.append(["Barcode", "Length (m)", "Breadth (cm)", "Height (cm)"])
    for number in range(20_000):
        page.append([f"LV-{number:06}", 4, 20, 18])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


if __name__ == "__main__":
    main()
