"""The jobs of examples/spark, run by Spark over two executor processes, count what Timba counts.

Run by `make slow`, which installs Spark.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from tests.clients import api_client_of
from tests.conftest import Elsewhere, MakeUser
from tests.factories import ClientFactory
from tests.servers import skip_or_fail
from tests.temperatures.test_exactness import BAD_LINES, random_plain_line
from tests.temperatures.uploads import settle_readings
from tests.temperatures.written_files import random_style, write_file
from timba.accounts.models import User
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.rejects import REJECTS_HEADER, csv_lines
from timba.files.services import delete_file
from timba.files.storage import store
from timba.temperatures.models import CityTotals
from tools.servers.machine import ServerUnavailable
from tools.spark.jobs import FinishedJob, build_wheel, ensure_spark, iceberg_jars, submit

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("sqlite"),
    pytest.mark.slow,
]

TOTALS = (
    *("city_id", "count", "sum_hundredths", "min_hundredths", "max_hundredths"),
    *("first_at", "last_at"),
)
STYLED_FILES = 24
# More than are held before they are merged, as each has a reading in two blocks.
CITIES = 140_000
BOUNDS = {"from": "2026-01-20T01:02:03.000004Z", "to": "2026-03-01T00:00:00Z"}
PLAIN = b"city_id,temperature,timestamp\n"


@pytest.fixture(autouse=True)
def spark() -> None:
    try:
        ensure_spark()
    except ServerUnavailable as error:
        skip_or_fail(str(error))


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def check_executors(job: FinishedJob) -> None:
    """Check that two executors, which are processes of their own, have done the work."""
    assert set(job.tasks) == {"0", "1"}


def raw_files() -> dict[str, bytes]:
    """Return files in every layout, with bad lines of every sort, and some that are refused."""
    random_ = random.Random(19)
    files = {}
    for number in range(STYLED_FILES):
        data, _ = write_file(random_, random_style(random_), lines=60)
        files[f"loggers/{number}.csv"] = data
    plain = b"\n".join([*BAD_LINES, *(random_plain_line(random_) for _ in range(3000))])
    reading = b"7,%d.5,2026-01-01T00:00:00Z\n"
    readings = b"".join(reading % number for number in range(40))
    packed = gzip.compress(b"".join(reading % (number % 90) for number in range(200_000)))
    cities = b"".join(b"%d,1.25,2026-01-01T00:00:00Z\n" % city for city in range(1, CITIES + 1))
    return files | {
        "plain.csv": PLAIN + plain,
        "plain.csv.gz": gzip.compress(plain) + gzip.compress(readings),
        "bom.csv": b"\xef\xbb\xbf" + readings,
        "ends with cr.csv": readings.replace(b"\n", b"\r"),
        "utf-16.csv": (PLAIN + readings).decode().encode("utf-16"),
        "long line.csv": readings + b"1" * 1_100_000 + b"\n" + reading % 1,
        "formulas.csv": readings + b"=1+1\n@x\n\xff\xfe\n",
        "asks for dates.csv": b"7,1,03/04/2025 12:00\n7,2,05/06/2025 12:00\n",
        "asks for unit.csv": b"".join(b"7,%d,2026-01-01T00:00\n" % n for n in range(280, 300)),
        "no reading.csv": b"hello\nworld\n",
        "header only.csv": PLAIN,
        # The other table begins in another block than the bad line.
        "two tables.csv": b"Ort;Zeit;Temperatur\nx\n"
        + b"7;25.01.2023 08:00;3,5\n" * 200_000
        + b"Ort;Zeit;Feuchte\n",
        "truncated.csv.gz": packed[:-300],
        "many cities.csv": cities + cities,
        "bomb.csv.gz": gzip.compress(b" " * 40_000_000),
    }


def timba_totals(owner: User, file: File) -> list[tuple[Any, ...]]:
    rows = CityTotals.objects.visible_to(owner).filter(file=file)
    return list(rows.order_by("city_id").values_list(*TOTALS))


def timba_rejects(file: File) -> bytes:
    """Return the rejects that Timba keeps of a file, as CSV."""
    for derivative in file.derivatives.filter(role=Derivative.Role.REJECTS, run=file.run):
        # That of a file which is refused as a whole was begun, and is not there.
        with suppress(FileNotFoundError), store().open_bytes(derivative.storage_key) as stream:
            return stream.read()
    return csv_lines([REJECTS_HEADER])


def read(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder).to_pylist()
    return rows


def by_path(folder: Path) -> defaultdict[str, list[dict[str, Any]]]:
    rows = defaultdict(list)
    for row in read(folder):
        rows[row["path"]].append(row)
    return rows


def totals_of(rows: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in TOTALS) for row in rows)


def test_raw_files_are_counted_as_by_timba(tmp_path: Path, owner: User) -> None:
    files = raw_files()
    for path, data in files.items():
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / path).write_bytes(data)
    (tmp_path / "spark").mkdir()
    job = submit(
        *(tmp_path / "spark", "count_raw_files.py", tmp_path / "raw", tmp_path / "counted"),
        python_files=(build_wheel(tmp_path),),
    )
    check_executors(job)
    counted = {row["path"]: row for row in read(tmp_path / "counted/files")}
    rejects = by_path(tmp_path / "counted/rejects")
    totals = by_path(tmp_path / "counted/cities_by_file")
    assert counted.keys() == files.keys()
    for path, data in files.items():
        file = settle_readings(data, actor=owner, name=Path(path).name)
        row, result = counted[path], file.result or {}
        assert (row["question"] or row["error"] or "") == file.error, path
        assert bool(row["question"]) == bool(result.get("questions")), path
        lines = sorted((each["line"], each["reason"], each["text"]) for each in rejects[path])
        assert csv_lines([REJECTS_HEADER, *lines]) == timba_rejects(file), path
        assert (row["accepted"], row["rejected"]) == (result.get("accepted", 0), len(lines)), path
        assert totals_of(totals[path]) == timba_totals(owner, file), path
    counting = CityTotals.objects.visible_to(owner).by_city()
    assert totals_of(read(tmp_path / "counted/cities")) == list(counting.order_by("city_id"))


def statistics(owner: User, **bounds: str) -> list[list[Any]]:
    """Return the rows that the job writes, from Timba's answer of all cities."""
    answer = api_client_of(owner).get("/temperature-readings/", {"limit": 500, **bounds}).json()
    assert answer["next"] is None
    return [
        [owner.client_id, city["city_id"], city["count"]]
        + [Decimal(str(city[name])) for name in ("min_temp", "max_temp", "mean_temp")]
        + [city["first_at"], city["last_at"]]
        for city in answer["cities"]
        if city["count"]
    ]


def read_csv(folder: Path) -> list[list[Any]]:
    """Return the rows that the job has written, in their order."""
    rows = []
    for part in sorted(folder.glob("part-*")):
        header, *lines = csv.reader(part.read_text().splitlines())
        assert header == [
            *("client_id", "city_id", "count", "min_temp", "max_temp", "mean_temp"),
            *("first_at", "last_at"),
        ]
        rows += [[*map(int, row[:3]), *map(Decimal, row[3:6]), *row[6:]] for row in lines]
    return rows


def readings(random_: random.Random) -> str:
    """Return readings of a few cities; the mean of two of them lies between two hundredths."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = ["41,0.01,2026-01-01T00:00:00Z", "42,-0.01,1970-01-01T00:00:00.000001+02:00"]
    lines += [f"43,{number},{at}" for number, at in enumerate(BOUNDS.values())]
    for _ in range(500):
        at = start + timedelta(microseconds=random_.randrange(10**13))
        degrees = Decimal(random_.randrange(-4000, 4000)).scaleb(-2)
        lines.append(f"{random_.randrange(1, 9)},{degrees},{at.isoformat()}")
    return "\n".join(lines)


def test_statistics_from_the_table_are_those_of_timba(
    tmp_path: Path,
    owner: User,
    make_user: MakeUser,
    settings: Settings,
    use_store: Callable[[Path], None],
    elsewhere: Elsewhere,
) -> None:
    use_store(tmp_path / "store")
    catalog, warehouse = tmp_path / "lake.sqlite3", tmp_path / "lake"
    settings.TIMBA_LAKE_CATALOG = f"sqlite:///{catalog}"
    settings.TIMBA_LAKE_WAREHOUSE = str(warehouse)
    stranger = make_user(client=ClientFactory())
    random_ = random.Random(23)
    files = [settle_readings(readings(random_), actor=owner) for _ in range(16)]
    settle_readings("41,0.02,2026-01-02T00:00:00Z\n42,-0.02,2026-01-02T00:00:00Z", actor=owner)
    settle_readings(readings(random_), actor=stranger)
    call_command("lake", once=True)
    event = OutboxEvent.objects.filter(client_id=owner.client_id).latest("sequence")
    then = statistics(owner)
    call_command("backup", tmp_path / "backup", stdout=io.StringIO())

    asking = settle_readings("7,1.5,03/04/2026 12:00\n", actor=owner)
    assert asking.status == File.Status.FAILURE
    delete_file(actor=owner, file=files[3])
    for file, read_as in ((asking, {"dates": "day-first"}), (files[4], {"unit": "F"})):
        path = f"/api/files/{file.pk}/retry/"
        assert api_client_of(owner).post(path, {"read_as": read_as}).status_code == 202
        assert process_file(file.pk)
    call_command("lake", once=True)
    wheel = build_wheel(tmp_path)
    now = statistics(owner)
    assert now != then

    def run(name: str, *arguments: str) -> list[list[Any]]:
        folder = tmp_path / name
        folder.mkdir()
        address = (f"--catalog=jdbc:sqlite:{catalog}", f"--warehouse=file://{warehouse}")
        job = submit(
            *(folder, "city_statistics.py", *address, *arguments, folder / "csv"),
            python_files=(wheel,),
            settings={"spark.jars": ",".join(map(str, iceberg_jars().iterdir()))},
        )
        check_executors(job)
        return read_csv(folder / "csv")

    assert run("all") == now + statistics(stranger)
    client = f"--client={owner.client_id}"
    within = statistics(owner, **BOUNDS)
    assert run("within", client, *(f"--{name}={at}" for name, at in BOUNDS.items())) == within
    assert run("then", client, f"--event={event.epoch}.{event.sequence}") == then
    with elsewhere():
        call_command("restore", tmp_path / "backup", stdout=io.StringIO())
        call_command("lake", once=True)
        restored = User.unscoped.get(pk=owner.pk)
        assert run("restored", client) == statistics(restored) == then
