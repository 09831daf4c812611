"""What must hold after a crash, once every process has run again."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tests.crashes.harness import Installation
from tests.crashes.scenarios import HOPELESS, READINGS, STATISTICS
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, File
from timba.files.processing import LOST
from timba.files.storage import LocalStorage
from timba.temperatures.models import CityTotals

# A failed file may be retried; a success and a deletion are published once.
_LIFE = re.compile(r"created (failed updated )*(succeeded|failed) (deleted )?")
_FINAL = {"hopeless": "FAILURE", "lost": "FAILURE"}


def settle(site: Installation) -> None:
    """Let every process finish its work, and the program retry what it is told to retry."""
    site.wait(timedelta(hours=2))
    site.work()
    site.sweep()
    for step, file_id in _uploaded(site).items():
        row = File.unscoped.filter(pk=file_id, deleted_at=None, status="FAILURE").first()
        if row and step not in _FINAL and "try again" in row.error:
            site.retry(f"{step}, once more", file_id)
            site.work()
            site.wait(timedelta(hours=2))
            site.sweep()
    site.relay()


def violations(site: Installation) -> list[str]:
    """Return a sentence for each invariant that does not hold: nothing is lost, doubled or left."""
    files = _uploaded(site)
    found = [*site.server_errors, *_violations_of_rows(site, files)]
    return [*found, *_violations_of_events(site, files), *_violations_of_responses(site)]


def _uploaded(site: Installation) -> dict[str, str]:
    """Return the id of each file that was acknowledged, by the step that uploaded it first."""
    found: dict[str, str] = {}
    for step, response in site.acknowledged.items():
        if "sha256" in response:
            file_id = response["body"].get("file_id") or response["body"]["id"]
            if file_id not in found.values():
                found[step] = file_id
    return found


def _violations_of_rows(site: Installation, files: dict[str, str]) -> Iterator[str]:
    rows = {str(row.pk): row for row in File.unscoped.all()}
    for step, file_id in files.items():
        row = rows.get(file_id)
        if row is None:
            if "delete" not in site.acknowledged:
                yield f"{step} was acknowledged and is lost"
            continue
        with site.store.open_bytes(row.storage_key) as stream:
            if hashlib.sha256(stream.read()).hexdigest() != site.acknowledged[step]["sha256"]:
                yield f"{step} has other bytes than were uploaded"
        if row.status != _FINAL.get(step, "SUCCESS") or (step == "lost" and row.error != LOST):
            yield f"{step} ended as {row.status}: {row.error}"
    yield from (f"{rows[pk]} was never acknowledged" for pk in rows.keys() - set(files.values()))
    # A file without one good reading keeps a derivative's row whose object was taken back.
    current = Derivative.objects.filter(is_current=True).exclude(
        role=Derivative.Role.READINGS, file__status=File.Status.FAILURE
    )
    expected = {row.storage_key for row in rows.values()}
    expected |= set(current.values_list("storage_key", flat=True))
    stored = _objects(site)
    yield from (f"object {key} is orphaned" for key in stored - expected)
    yield from (f"object {key} is missing" for key in expected - stored)
    yield from (
        f"{row} is left of a dead run" for row in Derivative.objects.exclude(is_current=True)
    )
    runs = {(row.pk, row.run) for row in rows.values()}
    for file_id, run in set(CityTotals.unscoped.values_list("file_id", "run")) - runs:
        yield f"the totals of run {run} of {file_id} are left of a dead run"


def _objects(site: Installation) -> set[str]:
    """Return the names of all objects in the store, unfinished ones too."""
    store = site.store
    if isinstance(store, LocalStorage):
        return {
            str(p.relative_to(store.location)) for p in store.location.rglob("*") if p.is_file()
        }
    listed = store.client.list_objects_v2(Bucket=store.bucket)
    assert not listed["IsTruncated"]
    unfinished = store.client.list_multipart_uploads(Bucket=store.bucket).get("Uploads") or ()
    return {one["Key"] for one in listed.get("Contents") or ()} | {
        f"unfinished/{one['Key']}" for one in unfinished
    }


def _violations_of_events(site: Installation, files: dict[str, str]) -> Iterator[str]:
    events = list(OutboxEvent.objects.order_by("sequence"))
    lives: defaultdict[str, str] = defaultdict(str)
    for event in events:
        lives[event.key] += event.type.rpartition(".")[2] + " "
    yield from (
        f"events of {key}: {life}" for key, life in lives.items() if not _LIFE.fullmatch(life)
    )
    erased = set(files.values()) - {str(pk) for pk in File.unscoped.values_list("pk", flat=True)}
    yield from (
        f"{key} was erased without an event" for key in erased if "deleted" not in lives[key]
    )
    if set(lives) != set(files.values()):
        yield f"there are events of {len(lives)} files, not of {len(files)}"
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        yield "the sequence of events has gaps"
    consumed: list[tuple[str, str]] = []
    for line in (site.folder / "published").read_text().splitlines():
        message = json.loads(line)
        if int(message["ce_sequence"]) > len(consumed):
            consumed.append((message["key"], message["ce_type"]))
    if consumed != [(event.key, event.type) for event in events]:
        yield "a consumer did not get each event once and in order"


def _violations_of_responses(site: Installation) -> Iterator[str]:
    statistics = site.client.get("/temperature-readings/42/")
    if "readings" in site.acknowledged:
        found = statistics.json()
        if {name: found.get(name) for name in STATISTICS} != STATISTICS:
            yield f"the statistics are {found}"
    if "deleted" in site.acknowledged and statistics.status_code != 404:
        yield "deleted readings count"
    count = File.unscoped.count()
    for step, name, content in (
        ("readings", "yard.csv", READINGS),
        ("twin", "yard again.csv", READINGS),
        ("hopeless", "hopeless.csv", HOPELESS),
    ):
        if (first := site.acknowledged.pop(step, None)) is not None:
            site.upload(step, name, content, url="/upload/")
            if site.acknowledged[step]["body"] != first["body"]:
                yield f"the repeated request {step} was answered otherwise"
    if File.unscoped.count() != count:
        yield "a repeated request created a file"
