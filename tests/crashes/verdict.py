"""Looks at a world after a crash, once all has settled: is anything lost, doubled, or left over?"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from tests.crashes.walks import HOPELESS, READINGS, READINGS_DOOR, STATISTICS
from tests.crashes.world import TRY_AGAIN, World
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, File
from timba.files.processing import LOST
from timba.files.storage import store
from timba.temperatures.models import CityTotals

# A failure may be tried again; what has succeeded is told once, and so is a deletion.
_LIFE = re.compile(r"created (failed updated )*(succeeded|failed) (deleted )?")
_ENDS = {"hopeless": "FAILURE", "lost": "FAILURE"}


def settle(world: World) -> None:
    """Let everybody do what is left to do, the program too."""
    world.wait(timedelta(hours=2))
    world.work()
    world.sweep()
    for step, file_id in _files(world).items():
        row = File.unscoped.filter(pk=file_id, deleted_at=None, status="FAILURE").first()
        if row and step not in _ENDS and TRY_AGAIN in row.error:
            world.retry(f"{step}, once more", file_id)
            world.work()
            world.wait(timedelta(hours=2))
            world.sweep()
    world.relay()


def verdict(world: World) -> dict[str, Any]:
    """Return counts, and under `troubles` a sentence for each thing that is not right."""
    troubles = [*world.failures]
    files = _files(world)
    counts: Counter[str] = Counter()
    counts["acknowledged"] = len(files)
    counts["lost"] = sum(_is_lost(world, step, file_id) for step, file_id in files.items())
    rows = list(File.unscoped.all())
    erased = set(files.values()) - {str(row.pk) for row in rows}
    counts["doubled"] = len({str(row.pk) for row in rows} - set(files.values()))
    counts["stuck"] = sum(row.status in {"RECEIVING", "PENDING"} for row in rows)
    kept = {row.storage_key for row in rows}
    # A file without a single reading has a row for its readings, and no object: it was taken back.
    standing = Derivative.objects.filter(is_current=True).exclude(
        role=Derivative.Role.READINGS, file__status=File.Status.FAILURE
    )
    kept |= set(standing.values_list("storage_key", flat=True))
    found = world.objects()
    counts["orphans"], counts["missing"] = len(found - kept), len(kept - found)
    runs = {(row.pk, row.run) for row in rows}
    counts["dead"] = Derivative.objects.filter(is_current=False).count()
    counts["dead"] += len(set(CityTotals.unscoped.values_list("file_id", "run")) - runs)
    troubles += [f"{name}: {counts[name]}" for name in counts if name != "acknowledged"]
    troubles = [sentence for sentence in troubles if not sentence.endswith(": 0")]
    steps = {file_id: step for step, file_id in files.items()}
    for row in rows:
        step = steps.get(str(row.pk), "what nobody sent")
        if row.status != _ENDS.get(step, "SUCCESS") or (step == "lost" and row.error != LOST):
            troubles.append(f"{step} ended as {row.status}: {row.error}")
    troubles += _troubles_of_events(world, set(files.values()), erased)
    troubles += _troubles_of_answers(world)
    return {"counts": dict(counts), "troubles": troubles}


def _files(world: World) -> dict[str, str]:
    """Return the id of each file that the program sent, by its first step."""
    found: dict[str, str] = {}
    for step, answer in world.acked.items():
        if "sha256" in answer:
            file_id = answer["body"].get("file_id") or answer["body"]["id"]
            if file_id not in found.values():
                found[step] = file_id
    return found


def _is_lost(world: World, step: str, file_id: str) -> bool:
    row = File.unscoped.filter(pk=file_id).first()
    if row is None:
        return "delete" not in world.acked
    with store().open_bytes(row.storage_key) as stream:
        return hashlib.sha256(stream.read()).hexdigest() != world.acked[step]["sha256"]


def _troubles_of_events(world: World, file_ids: set[str], erased: set[str]) -> list[str]:
    events = list(OutboxEvent.objects.order_by("sequence"))
    told: defaultdict[str, str] = defaultdict(str)
    for event in events:
        told[event.key] += event.type.rpartition(".")[2] + " "
    troubles = [f"told of {key}: {life}" for key, life in told.items() if not _LIFE.fullmatch(life)]
    troubles += [f"{key} was deleted untold" for key in erased if "deleted" not in told[key]]
    if set(told) != file_ids:
        troubles.append(f"told of {len(told)} files, not of {len(file_ids)}")
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        troubles.append("the numbers of events have gaps")
    heard = []
    for line in (world.folder / "published").read_text().splitlines():
        message = json.loads(line)
        if int(message["sequence"]) > len(heard):
            heard.append((message["key"], message["type"]))
    if heard != [(event.key, event.type) for event in events]:
        troubles.append("a consumer did not hear each event once, in order")
    return troubles


def _troubles_of_answers(world: World) -> list[str]:
    """Ask what any program may ask, and send again what was acknowledged."""
    troubles = []
    if "readings" in world.acked:
        answer = json.loads(world.get("/temperature-readings/42/").content)
        if {name: answer.get(name) for name in STATISTICS} != STATISTICS:
            troubles.append(f"the statistics are {answer}")
    if "deleted" in world.acked and world.get("/temperature-readings/42/").status_code != 404:
        troubles.append("deleted readings count")
    before = File.unscoped.count()
    for step, name, content in (
        ("readings", "yard.csv", READINGS),
        ("twin", "yard again.csv", READINGS),
        ("hopeless", "hopeless.csv", HOPELESS),
    ):
        if step in world.acked:
            first = world.acked[step]["body"]
            world.repeat(step, name, content, door=READINGS_DOOR)
            if world.acked[step]["body"] != first:
                troubles.append(f"{step} was answered otherwise when it was sent again")
    if File.unscoped.count() != before:
        troubles.append("what was sent again was taken twice")
    return troubles
