"""How soon the processing of an accepted file starts, on an idle Timba as `serve` runs it.

    .venv/bin/python bench/pickup.py
    tools/services run --durable postgres redis -- .venv/bin/python bench/pickup.py

The first measures the embedded worker on SQLite, the second Celery with Redis on PostgreSQL. Small
text files are uploaded one at a time. Each delay is read off the file as the API shows it: from
`uploaded_at`, which is written before the upload is committed, to `processed_at` less the execution
time, which is rounded to milliseconds. So it also contains that commit, and the begin of the
transaction that settles the file. Prints the median and the 99th percentile. The bar is absolute: a
delay that users feel.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess

FILES: Final = 200
WARM_UP: Final = 10
_BAR_MS: Final = 20
_PAUSE_SECONDS: Final = 0.1
_SERVERS: Final = ("DATABASE_URL", "BROKER_URL", "CACHE_URL")


def main() -> None:
    """Print the delays; exit with status 1 if the 99th percentile misses the bar."""
    servers = {name: os.environ[name] for name in _SERVERS if os.environ.get(name)}
    with (
        tempfile.TemporaryDirectory() as folder,
        TimbaProcess(Path(folder, "data"), SERVE, **servers) as timba,
    ):
        owner = timba.create_owner()
        files = [upload(owner, number) for number in range(WARM_UP + FILES)][WARM_UP:]
        delays = sorted(delay_ms(owner, file) for file in files)
    p99 = delays[len(delays) * 99 // 100]
    worker = "Celery" if "BROKER_URL" in servers else "the embedded worker"
    print(
        f"  {worker}, {FILES} files, accepted → processing starts: "
        f"median {statistics.median(delays):.1f} ms, 99 % {p99:.1f} ms; "
        f"the bar is ≤ {_BAR_MS} ms: {'met' if p99 <= _BAR_MS else 'missed'}"
    )
    sys.exit(p99 > _BAR_MS)


def upload(owner: ApiClient, number: int) -> dict[str, Any]:
    """Upload a text file and leave the worker the time to become idle again."""
    content = f"Seal {number} intact.\n"
    response = owner.post("/api/files/", files={"file": (f"{number}.txt", content)})
    response.raise_for_status()
    time.sleep(_PAUSE_SECONDS)
    file: dict[str, Any] = response.json()
    return file


def delay_ms(owner: ApiClient, file: dict[str, Any]) -> float:
    """Return the milliseconds from the acceptance of a file to the start of its processing."""
    owner.wait_for_task(file["task_id"])
    settled = owner.get(f"/api/files/{file['id']}/").json()
    assert settled["status"] == "SUCCESS", settled
    accepted, processed = (
        datetime.fromisoformat(settled[name]) for name in ("uploaded_at", "processed_at")
    )
    elapsed = (processed - accepted).total_seconds()
    return (elapsed - settled["result"]["execution_time"]) * 1000


if __name__ == "__main__":
    main()
