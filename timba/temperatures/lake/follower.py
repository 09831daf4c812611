"""The follower: brings the table up to date, client by client, after the events of each.

One follower works, and others stand by for its lease. What it does depends on the table and the
database alone, so it may be killed at any point: the next one does what is left to do.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Table
from sqlalchemy.exc import SQLAlchemyError

from timba.db.errors import database_errors, drop_connection
from timba.errors import Conflict, Unavailable
from timba.events.leases import Lease
from timba.events.models import ProcessLease
from timba.temperatures.lake.catalog import open_table
from timba.temperatures.lake.contents import Contents
from timba.temperatures.lake.counted_objects import (
    CountedObject,
    Position,
    read_client,
    stream_positions,
)
from timba.temperatures.lake.maintenance import expire_snapshots, is_due
from timba.temperatures.lake.publishing import positions_in, publish
from timba.wakeup import Listener

_POLL_SECONDS: Final = 1.0
_STOP_CHECK_SECONDS: Final = 0.5
_MIN_PAUSE, _MAX_PAUSE = 1.0, 30.0  # seconds
# Somebody else may have committed: the table is loaded again this often.
_RELOAD_SECONDS: Final = 60.0
# A follower that was killed leaves its lease behind for so long.
_LEASE_WAIT_SECONDS: Final = 20.0
_ROUNDS: Final = 3
_TAKEN: Final = "Another `timba lake` is running, and keeps the table up to date."
_log = structlog.get_logger(__name__)


class LostLease(Exception):
    """Another follower has taken over."""


class Follower:
    """Follows the events of all clients until `stop`, or brings the table up to date once."""

    def __init__(self) -> None:
        self._lease = Lease(ProcessLease.Name.LAKE)
        self._table: Table | None = None
        self._loaded_at = 0.0
        # The version of the table that the contents and positions are about.
        self._version = ""
        self._contents = Contents()
        # Up to where each client is complete; the table has none of a client without readings.
        self._positions: dict[int, Position] = {}
        self._missing: dict[int, list[CountedObject]] = {}
        self._last_warning = ""
        self._stopping = False

    def stop(self) -> None:
        """Make `run` return after the current client; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Run rounds until `stop`, then `close`."""
        listener = Listener("relay")
        pause = _MIN_PAUSE
        try:
            while not self._stopping:
                try:
                    if not self._run_as_holder():
                        listener.wait(_POLL_SECONDS)
                    pause = _MIN_PAUSE
                except _failures() as error:
                    drop_connection()
                    self._forget_table()
                    self._warn_once("the lake cannot be brought up to date", reason=str(error))
                    self._sleep(pause)
                    pause = min(pause * 2, _MAX_PAUSE)
        finally:
            listener.close()
            self.close()

    def catch_up(self) -> None:
        """Bring the table up to date once, then `close`.

        Raises Conflict while another follower is at work, and Unavailable where objects are
        missing.
        """
        until = time.monotonic() + _LEASE_WAIT_SECONDS
        while not self._lease.acquire():
            if time.monotonic() > until:
                raise Conflict(_TAKEN)
            time.sleep(_STOP_CHECK_SECONDS)
        try:
            for _ in range(_ROUNDS):
                self.run_once()
                if not self._missing:
                    return
            raise Unavailable(
                f"The readings of {sum(map(len, self._missing.values()))} files are missing from "
                "the object store, and so from the lake: run `timba fsck`."
            )
        except LostLease:
            raise Conflict(_TAKEN) from None
        finally:
            self.close()

    def close(self) -> None:
        """Close the catalog and release the lease."""
        self._forget_table()
        try:
            self._lease.release()
        except database_errors():
            _log.warning("the lake's lease was not given back; it expires by itself")

    def run_once(self) -> bool:
        """Bring each client up to date whose stream has moved; return whether the table changed.

        Raises LostLease, and what the database, the catalog or the object store raises.
        """
        table = self._load()
        streams = stream_positions()
        has_changed = False
        for client_id in sorted({*streams, *self._positions, *self._contents.clients}):
            stream = streams.get(client_id)
            if stream is not None and stream == self._positions.get(client_id):
                continue
            if self._stopping:
                break
            has_changed |= self._follow(table, client_id)
        if is_due(table):
            self._keep_lease()
            expire_snapshots(table)
            self._version = table.metadata_location
        return has_changed

    def _run_as_holder(self) -> bool:
        """Run a round if this follower holds the lease; return whether the table changed."""
        try:
            if not self._lease.acquire():
                raise LostLease
            has_changed = self.run_once()
        except LostLease:
            self._forget_table()
            return False
        if self._last_warning and not self._missing:
            _log.info("the lake is brought up to date again")
            self._last_warning = ""
        return has_changed

    def _load(self) -> Table:
        """Return the table, as it was loaded a while ago at most; index it if it has changed."""
        if self._table is None:
            self._table, self._loaded_at = open_table(), time.monotonic()
        elif time.monotonic() - self._loaded_at > _RELOAD_SECONDS:
            self._table, self._loaded_at = self._table.refresh(), time.monotonic()
        if self._table.metadata_location != self._version:
            self._contents.follow(self._table)
            self._positions = positions_in(self._table)
            self._version = self._table.metadata_location
        return self._table

    def _forget_table(self) -> None:
        """Have the table loaded anew, by new connections."""
        if self._table is not None:
            self._table.catalog.close()
            self._table = None

    def _follow(self, table: Table, client_id: int) -> bool:
        """Bring one client up to date; return whether the table changed."""
        state = read_client(client_id, since=self._positions.get(client_id))
        outcome = publish(table, self._contents, state, keep_lease=self._keep_lease)
        self._version = table.metadata_location
        if outcome.missing:
            # Erased since: the next round decides anew. Or lost, which `fsck` tells.
            self._missing[client_id] = outcome.missing
            self._warn_once("objects are missing", keys=[found.key for found in outcome.missing])
        else:
            self._missing.pop(client_id, None)
            if state.position is None:
                self._positions.pop(client_id, None)
            else:
                self._positions[client_id] = state.position
        has_changed = bool(outcome.added or outcome.deleted)
        if has_changed:
            _log.info(
                "the lake has changed",
                client_id=client_id,
                position=str(state.position),
                added=outcome.added,
                deleted=outcome.deleted,
                rewritten=outcome.rewritten,
            )
        return has_changed

    def _keep_lease(self) -> None:
        if not self._lease.acquire():
            raise LostLease

    def _warn_once(self, sentence: str, **facts: object) -> None:
        warning = f"{sentence} {facts}"
        if warning != self._last_warning:
            _log.warning(sentence, **facts)
            self._last_warning = warning

    def _sleep(self, seconds: float) -> None:
        """Sleep in short intervals, because `time.sleep` continues after a signal."""
        wake_at = time.monotonic() + seconds
        while not self._stopping and (left := wake_at - time.monotonic()) > 0:
            time.sleep(min(left, _STOP_CHECK_SECONDS))


def _failures() -> tuple[type[Exception], ...]:
    """Return what a later round may not meet again: outages, and commits of somebody else."""
    outages = (*database_errors(), SQLAlchemyError, OSError)
    return (*outages, CommitFailedException, ValidationException)
