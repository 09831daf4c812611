"""Small chaos: what can be killed is killed while files come in, and nothing comes of it.

`make chaos` draws a new seed each time and prints it; `SEED=… make chaos` repeats one.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.journeys.cargo import REPEATS, Parcel, parcels, statistics_of
from tests.journeys.harbour import Harbour, Shippers
from tests.journeys.processes import wait_until
from tests.journeys.timba_process import Program

pytestmark = pytest.mark.journey

SEED = int(os.environ.get("SEED") or 1848)
WORKERS, HANDS, SANDBOXES, DOORS = 4, 5, 6, 2
SHIPPERS = 6
TROUBLE_SECONDS = 0.6
IDLE_SECONDS = 2
S3_SECONDS = 10
SETTLED_SECONDS = 600
# A failure may be tried again; what has succeeded is told once.
LIFE = re.compile(r"created (failed updated )*(succeeded|failed) ")


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Harbour]:
    with Harbour(tmp_path) as harbour:
        yield harbour


class Chaos:
    """One trouble after another, in the order of chance."""

    def __init__(self, harbour: Harbour, chance: random.Random) -> None:
        self._harbour = harbour
        self._chance = chance
        self._s3: threading.Thread | None = None
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        troubles: list[Callable[[], None]] = [
            *[lambda: self._kill("worker", self._harbour.workers)] * WORKERS,
            *[lambda: self._kill("hand", self._harbour.hands)] * HANDS,
            *[lambda: self._kill("sandbox", self._harbour.sandboxes)] * SANDBOXES,
            *[lambda: self._kill("door", self._harbour.doors)] * DOORS,
            *[self._kill_redis] * 3,
            self._flush_redis,
        ]
        self._chance.shuffle(troubles)
        # While files still come in.
        troubles.insert(self._chance.randrange(len(troubles) // 2), self._take_s3_away)
        for trouble in troubles:
            trouble()
            time.sleep(self._chance.uniform(0.5, 1.5) * TROUBLE_SECONDS)
        assert self._s3 is not None
        self._s3.join()

    def _kill(self, name: str, find: Callable[[], list[int]]) -> None:
        """Kill one of them, while there is work, if there is any soon."""
        victims: list[int] = []
        deadline = time.monotonic() + IDLE_SECONDS
        while not self._harbour.is_at_work() and time.monotonic() < deadline:
            time.sleep(0.05)

        def found() -> bool:
            victims[:] = sorted(find())
            return bool(victims)

        wait_until(found, seconds=60, what=f"there is a {name} to be killed")
        os.kill(self._chance.choice(victims), signal.SIGKILL)
        self.done[name] += 1

    def _kill_redis(self) -> None:
        self._harbour.redis.kill()
        time.sleep(self._chance.uniform(0.2, 1.5))
        self._harbour.redis.start()
        self.done["Redis killed"] += 1

    def _flush_redis(self) -> None:
        with redis.Redis.from_url(self._harbour.redis.variables()["BROKER_URL"]) as client:
            client.flushall()
        self.done["Redis emptied"] += 1

    def _take_s3_away(self) -> None:
        """Kill or freeze S3; the other troubles go on meanwhile."""
        server, frozen = self._harbour.s3, self._chance.random() < 0.5
        (server.freeze if frozen else server.kill)()

        def bring_back() -> None:
            time.sleep(S3_SECONDS)
            (server.thaw if frozen else server.start)()

        self._s3 = threading.Thread(target=bring_back)
        self._s3.start()
        self.done["S3 frozen" if frozen else "S3 killed"] += 1


def test_small_chaos_loses_doubles_and_sticks_nothing(harbour: Harbour) -> None:
    print(f"\nSEED={SEED}")
    chance = random.Random(SEED)
    cargo = parcels(chance)
    shippers = Shippers(harbour, cargo, seed=SEED)
    chaos = Chaos(harbour, chance)
    started = time.monotonic()
    threads = shippers.start(SHIPPERS, pause=0.5)
    try:
        chaos.run()
    finally:
        for thread in threads:
            thread.join()
    stormed = time.monotonic() - started
    assert shippers.troubles == []
    program = harbour.sign_in()
    retried = settle(harbour, program, cargo, shippers)
    settled = time.monotonic() - started - stormed
    counts = {
        "files": len(cargo),
        "stuck": unsettled(harbour),
        "lost": len(lost(program, cargo, shippers)),
        "twice": doubled(harbour, cargo),
        "orphans": len(harbour.objects() ^ named(harbour)),
        "tried again": retried,
        "answers not awaited": shippers.lost_answers,
        "answers": shippers.statuses,
        "seconds of storm, of settling": (round(stormed), round(settled)),
    }
    print(f"SEED={SEED}: {dict(chaos.done)}; {counts}")
    assert {name: counts[name] for name in ("stuck", "lost", "twice", "orphans")} == {
        "stuck": 0,
        "lost": 0,
        "twice": 0,
        "orphans": 0,
    }
    check_statistics(program, cargo)
    check_told(harbour, shippers)
    check_answers_stand(program, cargo, shippers, chance)
    assert chaos.done.total() == WORKERS + HANDS + SANDBOXES + DOORS + 5


def settle(harbour: Harbour, program: Program, cargo: list[Parcel], shippers: Shippers) -> int:
    """Wait until all is settled; try again what says so, as people would; return how many."""
    # An hour in which nobody goes on with an upload that was cut off.
    harbour.ask(
        "UPDATE files_file SET touched_at = touched_at - INTERVAL '1 hour'"
        " WHERE status = 'RECEIVING' RETURNING id"
    )
    wait_until(lambda: not unsettled(harbour), seconds=SETTLED_SECONDS, what="all is settled")
    good = {file_id(shippers.answers[parcel.name]) for parcel in cargo if parcel.good}
    retried = 0
    for key, error in harbour.ask("SELECT id, error FROM files_file WHERE status = 'FAILURE'"):
        if str(key) in good:
            assert "try again" in error, error
            assert program.post(f"/api/files/{key}/retry/").status_code == 202
            retried += 1
    wait_until(lambda: not unsettled(harbour), seconds=SETTLED_SECONDS, what="all is settled")
    harbour.ask(
        "UPDATE files_derivative SET created_at = created_at - INTERVAL '1 hour' RETURNING id"
    )
    debris: set[str] = set()

    def is_swept() -> bool:
        debris.clear()
        debris.update(harbour.objects() ^ named(harbour))
        return not debris

    try:
        wait_until(is_swept, seconds=SETTLED_SECONDS, what="all debris is swept away")
    finally:
        print("\n".join(debris))
    return retried


def file_id(answer: dict[str, str]) -> str:
    return answer.get("file_id") or answer["id"]


def unsettled(harbour: Harbour) -> int:
    query = "SELECT COUNT(*) FROM files_file WHERE status IN ('RECEIVING', 'PENDING')"
    return int(harbour.ask(query)[0][0])


def named(harbour: Harbour) -> set[str]:
    """Return the keys that rows name; what failed for want of a reading has taken its own back."""
    found = harbour.ask(
        "SELECT storage_key FROM files_file UNION SELECT d.storage_key FROM files_derivative d"
        " JOIN files_file f ON f.id = d.file_id"
        " WHERE d.is_current AND NOT (d.role = 'readings' AND f.status = 'FAILURE')"
    )
    return {key for (key,) in found}


def lost(program: Program, cargo: list[Parcel], shippers: Shippers) -> list[str]:
    """Return the files that were acknowledged and are not there as they should be."""
    found = []
    for parcel in cargo:
        file = program.get(f"/api/files/{file_id(shippers.answers[parcel.name])}/").json()
        expected = "SUCCESS" if parcel.good else "FAILURE"
        if (file.get("status"), file.get("size")) != (expected, len(parcel.content)):
            found.append(f"{parcel.name}: {file}")
        if parcel.lines:
            result = file["result"]
            counted = (result["accepted"], result["rejected"])
            if counted != (len(parcel.lines) * REPEATS, parcel.rejected * REPEATS):
                found.append(f"{parcel.name}: {result}")
        url = f"/api/files/{file['id']}/content/"
        if program.get(url).content != parcel.content:
            found.append(f"{parcel.name}: other bytes")
    print("\n".join(found))
    return found


def doubled(harbour: Harbour, cargo: list[Parcel]) -> int:
    """Return how many rows there are beyond one a file, and totals beyond those of its run."""
    rows = int(harbour.ask("SELECT COUNT(*) FROM files_file")[0][0])
    dead = harbour.ask(
        "SELECT COUNT(*) FROM temperatures_citytotals t JOIN files_file f ON f.id = t.file_id"
        " WHERE f.run IS DISTINCT FROM t.run"
    )
    return rows - len(cargo) + int(dead[0][0])


def check_statistics(program: Program, cargo: list[Parcel]) -> None:
    for city_id, expected in statistics_of(cargo).items():
        answer = program.get(f"/temperature-readings/{city_id}/").json()
        assert {name: answer[name] for name in expected} == expected


def check_told(harbour: Harbour, shippers: Shippers) -> None:
    """Check each file's life as it was told, and that no number is missing."""
    told: defaultdict[str, str] = defaultdict(str)
    events = harbour.ask(
        "SELECT key, type, sequence FROM events_outboxevent WHERE topic = 'file_events'"
        " ORDER BY sequence"
    )
    for key, kind, _ in events:
        told[key] += kind.rpartition(".")[2] + " "
    assert set(told) == {file_id(answer) for answer in shippers.answers.values()}
    assert {life for life in told.values() if not LIFE.fullmatch(life)} == set()
    gaps = harbour.ask(
        "SELECT client_id, MAX(sequence) - COUNT(*) FROM events_outboxevent GROUP BY 1"
    )
    assert {missing for _, missing in gaps} == {0}


def check_answers_stand(
    program: Program, cargo: list[Parcel], shippers: Shippers, chance: random.Random
) -> None:
    """Send some files again under their keys: the first answers come again."""
    for parcel in chance.sample(cargo, 20):
        again = shippers.send(program, parcel, timeout=60)
        assert again.json() == shippers.answers[parcel.name]
