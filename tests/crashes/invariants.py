"""What must hold after a crash, once every process has run again: nothing is lost or doubled."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from typing import Final

from tests.crashes.installation import UPLOADS, Installation
from timba.consignments.models import Consignment, DeletedConsignment, DeletedLog, Log
from timba.events.models import OutboxEvent, Stream
from timba.files.events import TOPIC
from timba.files.models import Derivative, File, FileText
from timba.files.processing import LOST
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.parts import files_in_folder
from timba.files.storage import LocalStorage
from timba.temperatures.lake.catalog import open_table
from timba.temperatures.models import CityTotals

# A file may be processed again; its outcome, a deletion and a restoration are published once.
_LIFE: Final = re.compile(
    r"created ((failed|succeeded) updated )*(succeeded|failed) (deleted created )?(deleted )?"
)
ERRORS: Final = {"hopeless": "No line of the file is a reading.", "lost": LOST}
_STATISTICS: Final = {"count": 2, "min_temp": 1.0, "max_temp": 2.01, "mean_temp": 1.51}


def check(site: Installation) -> None:
    """Fail unless every invariant holds."""
    _check_responses(site)  # first: the others show that a repeated request has no effect
    _check_files(site)
    _check_objects(site)
    _check_events(site)
    if "consignment" in site.acknowledged:
        _check_consignment(site)
    if (site.folder / "lake.sqlite3").exists():
        _check_lake(site)


def uploaded(site: Installation) -> dict[str, str]:
    """Return the id of each acknowledged file, by the step that uploaded it first."""
    steps: dict[str, str] = {}
    for step, body in site.acknowledged.items():
        if step in UPLOADS:
            steps.setdefault(body["id"], step)
    return {step: file_id for file_id, step in steps.items()}


def _check_files(site: Installation) -> None:
    """Check that each acknowledged file is there once, with its bytes and its result."""
    files = uploaded(site)
    assert files
    rows = {str(row.pk): row for row in File.unscoped.all()}
    assert rows.keys() == {file_id for step, file_id in files.items() if step != "deleted"}
    for step, file_id in files.items():
        if step != "deleted":
            row = rows[file_id]
            with site.store.open_bytes(row.storage_key) as stream:
                assert stream.read() == UPLOADS[step][2]
            assert row.status == ("FAILURE" if step in ERRORS else "SUCCESS"), row.error
            assert row.error.startswith(ERRORS.get(step, ""))


def _check_objects(site: Installation) -> None:
    """Check that no object is orphaned or missing, and that nothing is left of a dead run."""
    rows = File.unscoped.all()
    assert not Derivative.objects.exclude(is_current=True).exists()
    # A file without one good reading keeps a derivative's row whose object was taken back.
    derivatives = Derivative.objects.exclude(
        role=Derivative.Role.READINGS, file__status=File.Status.FAILURE
    )
    keys = {*rows.values_list("storage_key", flat=True)}
    keys |= {*derivatives.values_list("storage_key", flat=True)}
    assert _stored_keys(site) == keys
    assert not list(files_in_folder())
    accepted = {str(file_id) for file_id in ResumableUpload.unscoped.values_list("file", flat=True)}
    assert accepted == {file_id for step, file_id in uploaded(site).items() if step == "parts"}
    runs = set(CityTotals.unscoped.values_list("file_id", "run"))
    runs |= set(FileText.objects.values_list("file_id", "run"))
    assert runs <= set(rows.values_list("pk", "run"))


def _stored_keys(site: Installation) -> set[str]:
    """Return the keys of all objects in the store, and of unfinished ones, marked."""
    store = site.store
    if isinstance(store, LocalStorage):
        paths = [path for path in store.location.rglob("*") if path.is_file()]
        return {str(path.relative_to(store.location)) for path in paths}
    complete = store.client.list_objects_v2(Bucket=store.bucket).get("Contents") or ()
    unfinished = store.client.list_multipart_uploads(Bucket=store.bucket).get("Uploads") or ()
    keys = {each["Key"] for each in complete if not each["Key"].startswith("lake/")}
    return keys | {f"unfinished {each['Key']}" for each in unfinished}


def _check_events(site: Installation) -> None:
    """Check that the events tell of each file, and that a consumer gets each once and in order."""
    events = list(OutboxEvent.objects.order_by("sequence"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    lives: defaultdict[str, str] = defaultdict(str)
    for event in events:
        if event.topic == TOPIC:
            lives[event.key] += event.type.rpartition(".")[2] + " "
    files = uploaded(site)
    assert lives.keys() == set(files.values())
    for step, file_id in files.items():
        assert _LIFE.fullmatch(lives[file_id]), lives[file_id]
        assert lives[file_id].endswith("deleted ") == (step == "deleted")
    consumed: list[tuple[str, str]] = []
    for line in (site.folder / "published").read_text().splitlines():
        message = json.loads(line)
        if int(message["ce_sequence"]) > len(consumed):
            consumed.append((message["key"], message["ce_type"]))
    assert consumed == [(event.key, event.type) for event in events]


def _check_consignment(site: Installation) -> None:
    """Check that the consignment is there with its log, that nothing is left, and its events."""
    consignment = Consignment.unscoped.get()
    assert consignment.pk == site.acknowledged["consignment"]["id"]
    assert Log.unscoped.get().consignment == consignment
    assert (consignment.log_count, consignment.volume) == (1, Decimal("0.360"))
    assert not DeletedConsignment.unscoped.exists()
    assert not DeletedLog.unscoped.exists()
    types = OutboxEvent.objects.exclude(topic=TOPIC).order_by("sequence")
    assert [kind.removeprefix("timba.") for kind in types.values_list("type", flat=True)] == [
        *("consignment.created", "log.created"),
        *("log.deleted", "consignment.deleted"),
        *("consignment.created", "log.created"),
    ]


def _check_lake(site: Installation) -> None:
    """Check that the table has each reading once, and its position is that of the last event."""
    table = open_table()
    table.catalog.close()
    degrees = table.scan().to_arrow().column("temperature").to_pylist()
    assert sorted(degrees) == [Decimal("1.00"), Decimal("2.01")]
    stream = Stream.objects.get()
    position = table.properties[f"timba.position.{stream.client_id}"]
    assert position == f"{stream.epoch}.{stream.last_sequence}"


def _check_responses(site: Installation) -> None:
    """Check the statistics, and that a repeated request gets its first response."""
    statistics = site.client.get("/temperature-readings/42/")
    if "readings" in site.acknowledged:
        body = statistics.json()
        assert {name: body[name] for name in _STATISTICS} == _STATISTICS
    else:
        assert statistics.status_code == 404
    for step in site.acknowledged.keys() & UPLOADS.keys() - {"deleted"}:  # its key has expired
        assert site.send_file(step).json() == site.acknowledged[step]
