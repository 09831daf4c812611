"""Full-text search of 10,000 files with text, against the list of the same files without a search.

    .venv/bin/python bench/search.py [files of other clients]

The database is that of `DATABASE_URL`, or a new SQLite one; for the servers:

    tools/services run --durable postgres -- .venv/bin/python bench/search.py
    tools/services run --durable mariadb -- .venv/bin/python bench/search.py

Each file has 300 words of 20,000, as often as in a language (Zipf). A search is the first page of
`GET /api/files/?q=` with its 100 rows and passages, or fewer. The bar is 50 ms for the 95th
percentile, on an idle machine; on a shared one compare ratios.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import logging
import os
import random
import statistics
import string
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_FOLDER.name}/timba.sqlite3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django

django.setup()
logging.disable(logging.WARNING)

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIRequestFactory, force_authenticate

from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.api.files import FilesView
from timba.db.text_search import index_words
from timba.files.models import File, FileText
from timba.files.storage import new_key

FILES: Final = 10_000
WORDS: Final = 300
VOCABULARY: Final = 20_000
RUNS: Final = 60
MAX_MS: Final = 50
_BATCH: Final = 500
_random: Final = random.Random(7)


def main() -> None:
    """Print the times of each search; exit with status 1 if a bar was missed."""
    others = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    words = make_words()
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    own = open_client(actor=staff, name="Own")
    other = open_client(actor=staff, name="Other")
    fill(own, FILES, words, weights)
    fill(other, others, words, weights)
    analyze()
    print(f"{connection.vendor}, {FILES:,} files of the client, {others:,} of another:")
    plain = [seconds(staff, own, None) for _ in range(RUNS)]
    report("no search", plain, plain)
    searches = {
        "no hit": ["zzzzzz", "quux zzzz"],
        "rare word": words[-RUNS:],
        "common word": words[:3],
        "two letters": [word[:2] for word in words[:RUNS]],
        "two words": [f"{words[4]} {word}" for word in words[200:230]],
        "phrase": [f'"{words[0]} {words[1]}"', f'"{words[1]} {words[3]}"'],
        "long phrase": [
            f'"{words[0]} {words[1]} {words[2]}"',
            f'"{words[2]} {words[0]} {words[1]}"',
        ],
        "rare phrase": [f'"{words[9]} {word}"' for word in words[200:230]],
    }
    missed = False
    for name, queries in searches.items():
        times = [seconds(staff, own, queries[run % len(queries)]) for run in range(RUNS)]
        missed |= report(name, times, plain) > MAX_MS
    sys.exit(missed)


def make_words() -> list[str]:
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        length = _random.randint(2, 10)
        words["".join(_random.choices(string.ascii_lowercase[:20], k=length))] = None
    return list(words)


def fill(client: Client, count: int, words: list[str], weights: list[float]) -> None:
    """Give a client files as if their documents had been read."""
    for start in range(0, count, _BATCH):
        files = [
            File(
                client=client,
                name=f"permit {start + number}.pdf",
                name_key=f"permit {start + number}.pdf",
                kind="document",
                status="SUCCESS",
                queue="",
                run=1,
                storage_key=new_key(),
                uploaded_at=timezone.now(),
                result={"pages": 3, "title": None, "author": None, "text_chars": 2000},
            )
            for number in range(min(_BATCH, count - start))
        ]
        rows = []
        for file in files:
            text = " ".join(_random.choices(words, weights, k=WORDS))
            indexed = index_words(text, owner=client.pk)
            rows.append(FileText(file=file, run=1, text=text, words=indexed.words))
        with transaction.atomic():
            File.unscoped.bulk_create(files)
            FileText.objects.bulk_create(rows)


def analyze() -> None:
    """Do what the database does by itself some time after so many rows are written."""
    statements = {
        "sqlite": ["ANALYZE"],
        "postgresql": ["VACUUM ANALYZE files_file", "VACUUM ANALYZE files_filetext"],
        "mysql": ["ANALYZE TABLE files_file, files_filetext"],
    }
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
            cursor.fetchall() if connection.vendor == "mysql" else None


def seconds(staff: User, client: Client, words: str | None) -> float:
    """Return the time of the first page, of all files or of those with these words."""
    query = {"client_id": client.pk} | ({} if words is None else {"q": words})
    request = APIRequestFactory().get("/api/files/", query, SERVER_NAME="localhost")
    force_authenticate(request, staff)
    started = time.perf_counter()
    response = FilesView.as_view()(request)
    elapsed = time.perf_counter() - started
    if response.status_code != 200:
        raise SystemExit(response.content)
    return elapsed


def report(name: str, times: list[float], plain: list[float]) -> float:
    """Print the times of a search; return the 95th percentile in milliseconds."""
    p95 = statistics.quantiles(times, n=20)[-1] * 1000
    median = statistics.median(times) * 1000
    ratio = median / statistics.median(plain) / 1000
    print(f"  {name:12} {median:6.1f} ms, p95 {p95:6.1f} ms, {ratio:5.2f} × the list")
    return p95


if __name__ == "__main__":
    main()
