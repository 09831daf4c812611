"""What the table should have of a client: read from the database, at one moment.

A client's position in its stream of events stands for that moment. The events after an earlier
position tell which files may have changed since; which of them count is decided from the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from django.db.models import F

from timba.db.snapshots import read_snapshot
from timba.events.history import parse_position
from timba.events.models import OutboxEvent, Stream
from timba.files.events import TOPIC
from timba.files.models import Derivative, File
from timba.temperatures.models import is_counting

# With more changed files than that, the whole of a client is compared.
MAX_CHANGED: Final = 10_000


class Position(NamedTuple):
    """A place in a client's stream of events, written as `<epoch>.<sequence>`."""

    epoch: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return a position; raise ValueError for anything else."""
        epoch, sequence = parse_position(text)
        if epoch is None:
            raise ValueError("A position has an epoch, such as 1.41.")
        return cls(epoch, sequence)

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}"


class CountedObject(NamedTuple):
    """The object with the readings of a file that counts."""

    derivative_id: int
    file_id: uuid.UUID
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientState:
    """A client's objects that count, as of a position: all of them, or those of `file_ids`.

    A client without a stream of events has no position, and no files.
    """

    client_id: int
    position: Position | None
    file_ids: Collection[uuid.UUID] | None
    objects: Mapping[uuid.UUID, CountedObject]

    def covers(self, file_id: uuid.UUID) -> bool:
        """Return whether this tells if the file counts."""
        return self.file_ids is None or file_id in self.file_ids


def stream_positions() -> dict[int, Position]:
    """Return the position of the last event of each client."""
    rows = Stream.objects.values_list("client_id", "epoch", "last_sequence")
    return {client_id: Position(epoch, sequence) for client_id, epoch, sequence in rows}


def read_client(
    client_id: int, *, since: Position | None, retried: Collection[uuid.UUID] = ()
) -> ClientState:
    """Return what counts now of the files that changed after `since`, and of those in `retried`.

    Of all files, where the events between are not known: there is no earlier position, a restore
    has begun another epoch, or old events were deleted.
    """
    with read_snapshot():
        row = Stream.objects.filter(client_id=client_id)
        stream = row.values_list("epoch", "last_sequence").first()
        position = None if stream is None else Position(*stream)
        file_ids = _changed_files(client_id, since, position)
        if file_ids is not None:
            file_ids.update(retried)
        return ClientState(
            client_id=client_id,
            position=position,
            file_ids=file_ids,
            objects=_counted_objects(client_id, file_ids),
        )


def _changed_files(
    client_id: int, since: Position | None, position: Position | None
) -> set[uuid.UUID] | None:
    """Return the temperature files with events after `since`; None where that is not known."""
    if since is None or position is None or since.epoch != position.epoch:
        return None
    events = OutboxEvent.objects.filter(client_id=client_id, sequence__gt=since.sequence)
    if events.count() != position.sequence - since.sequence:
        return None
    keys = events.filter(topic=TOPIC).values_list("key", flat=True).distinct()
    file_ids = {uuid.UUID(key) for key in keys[: MAX_CHANGED + 1]}
    if len(file_ids) > MAX_CHANGED:
        return None
    # One whose row is gone may have been a temperature file.
    others = File.unscoped.filter(pk__in=file_ids).exclude(kind=File.Kind.TEMPERATURES)
    return file_ids.difference(others.values_list("pk", flat=True))


def _counted_objects(
    client_id: int, file_ids: Collection[uuid.UUID] | None
) -> dict[uuid.UUID, CountedObject]:
    """Return the objects of the files that count, as statistics count them."""
    rows = Derivative.objects.filter(
        is_counting("file__"),
        file__client_id=client_id,
        run=F("file__run"),
        role=Derivative.Role.READINGS,
    )
    if file_ids is not None:
        rows = rows.filter(file_id__in=file_ids)
    found = rows.values_list("pk", "file_id", "storage_key")
    return {file_id: CountedObject(pk, file_id, key) for pk, file_id, key in found}
