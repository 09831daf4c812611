"""Commits what has changed of a client, a batch of files at a time.

Each file is in the table as a whole, and the last commit has the position.

A commit deletes and adds entries of objects, never bytes. It fails if somebody else has committed
since the table was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from pyarrow import ArrowInvalid
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from timba.failpoints import failpoint
from timba.temperatures.lake.catalog import object_address
from timba.temperatures.lake.commits import MAX_ENTRIES, commit_entries
from timba.temperatures.lake.contents import Contents, iter_data_files
from timba.temperatures.lake.counted_objects import ClientState, CountedObject, Position
from timba.temperatures.lake.older_objects import is_older, rewrite

# The files of one commit, whose entries are one manifest.
BATCH_SIZE: Final = MAX_ENTRIES
_POSITION: Final = "timba.position."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileChange:
    """What is to be done for one file: objects to delete from the table, and one to add."""

    file_id: str
    deleted: set[str]
    added: CountedObject | None


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What was done for a client; `missing` are objects, lost or damaged, that were not added."""

    added: int = 0
    deleted: int = 0
    rewritten: int = 0
    missing: list[CountedObject] = field(default_factory=list)


def positions_in(table: Table) -> dict[int, Position]:
    """Return the position of each client up to which the table is complete."""
    return {
        int(name.removeprefix(_POSITION)): Position.parse(value)
        for name, value in table.properties.items()
        if name.startswith(_POSITION)
    }


def plan(state: ClientState, contents: Contents) -> list[FileChange]:
    """Return the changes that make the table have exactly the objects that count."""
    if state.file_ids is None:
        file_ids = contents.files(state.client_id) | {str(file_id) for file_id in state.objects}
    else:
        file_ids = {str(file_id) for file_id in state.file_ids}
    counted = {str(file_id): found for file_id, found in state.objects.items()}
    changes = []
    for file_id in sorted(file_ids):
        wanted = counted.get(file_id)
        address = None if wanted is None else object_address(wanted.key)
        present = contents.objects(state.client_id, file_id)
        deleted = present - {address}
        added = None if address in present else wanted
        if deleted or added is not None:
            changes.append(FileChange(file_id=file_id, deleted=deleted, added=added))
    return changes


def publish(
    table: Table,
    contents: Contents,
    state: ClientState,
    *,
    missing: Iterable[CountedObject],
    keep_lease: Callable[[], None],
) -> Outcome:
    """Bring a client's part of the table up to date, in commits of a bounded size.

    `missing` are objects of other files, which an earlier attempt has not found. The last commit
    sets the client's position, unless an object is still or newly missing. Where nothing has
    changed there is no commit. Raises what PyIceberg, the object store or `keep_lease` raises;
    `contents` follows each commit.
    """
    outcome = Outcome(missing=[*missing])
    changes = plan(state, contents)
    for start in range(0, len(changes), BATCH_SIZE):
        batch = changes[start : start + BATCH_SIZE]
        added = list(_added_files(table, state.client_id, batch, outcome, keep_lease))
        addresses = {address for change in batch for address in change.deleted}
        holders = contents.holders(addresses)
        entries = iter_data_files(table, holders) if holders else ()
        deleted = [data_file for data_file in entries if data_file.file_path in addresses]
        if not added and not deleted:
            continue
        is_complete = start + BATCH_SIZE >= len(changes) and not outcome.missing
        keep_lease()
        commit_entries(
            table,
            added=added,
            deleted=deleted,
            holders=holders,
            summary=_summary(state, is_complete=is_complete),
            properties=_properties(state, is_complete=is_complete),
        )
        failpoint("lake.committed")
        contents.follow(table)
        outcome.added += len(added)
        outcome.deleted += len(deleted)
    return outcome


def _added_files(
    table: Table,
    client_id: int,
    batch: Sequence[FileChange],
    outcome: Outcome,
    keep_lease: Callable[[], None],
) -> Iterable[DataFile]:
    """Yield the entries of the objects to add; one that is lost or damaged is noted as missing."""
    for change in batch:
        counted = change.added
        if counted is None:
            continue
        keep_lease()
        try:
            if is_older(counted):
                counted = rewrite(counted, client_id=client_id, keep_lease=keep_lease)
                outcome.rewritten += 1
            yield parquet_file_to_data_file(table.io, table.metadata, object_address(counted.key))
        except (FileNotFoundError, ArrowInvalid):
            outcome.missing.append(counted)


def _summary(state: ClientState, *, is_complete: bool) -> dict[str, str]:
    """Return what a snapshot tells: the client, and its position where the client is complete."""
    summary = {"timba.client-id": str(state.client_id)}
    if state.position is not None and is_complete:
        summary |= {
            "timba.epoch": str(state.position.epoch),
            "timba.sequence": str(state.position.sequence),
        }
    return summary


def _properties(state: ClientState, *, is_complete: bool) -> dict[str, str | None]:
    """Return the property with the client's position; None removes it."""
    name = f"{_POSITION}{state.client_id}"
    if state.position is None:
        return {name: None}
    return {name: str(state.position)} if is_complete else {}
