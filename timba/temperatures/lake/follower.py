"""The follower: brings the table up to date, client by client, after the events of each.

One follower works, and others stand by for its lease. What it does depends on the table and the
database alone, so it may be killed at any point: the next one does what is left to do.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.table import Table
from sqlalchemy.exc import SQLAlchemyError

from timba.db.errors import database_errors, drop_connection
from timba.errors import Conflict, Unavailable
from timba.events.leased_process import CycleResult, LeasedProcess
from timba.events.leases import RENEWAL_SECONDS
from timba.events.models import ProcessLease
from timba.files.leases import heartbeat
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

_STOP_CHECK_SECONDS: Final = 0.5
# Somebody else may have committed: the table is loaded again this often.
_RELOAD_SECONDS: Final = 60.0
# A follower that was killed leaves its lease behind for so long.
_LEASE_WAIT_SECONDS: Final = 20.0
_ROUNDS: Final = 3
_LOGGED_KEYS: Final = 20
_TAKEN: Final = "Another `timba lake` is running, and keeps the table up to date."
_log = structlog.get_logger(__name__)


class Interrupted(Exception):
    """Another follower has taken over, or this one is to stop."""


class Follower(LeasedProcess):
    """Follows the events of all clients until `stop`, or brings the table up to date once."""

    min_pause, max_pause = 1.0, 30.0

    def __init__(self) -> None:
        super().__init__(ProcessLease.Name.LAKE)
        self._table: Table | None = None
        self._loaded_at = 0.0
        # The version of the table that the contents and positions are about.
        self._version = ""
        self._contents = Contents()
        # Up to where each client is complete, but for what is missing; the table has no position of
        # a client without readings.
        self._positions: dict[int, Position] = {}
        # The objects of each client that are lost or damaged; one at least.
        self._missing: dict[int, list[CountedObject]] = {}
        self._retry_at = 0.0
        self._retry_pause = self.min_pause

    def catch_up(self) -> None:
        """Bring the table up to date once, then `close`.

        Raises Conflict while another follower is at work, and Unavailable where objects are missing
        or damaged, or a server fails.
        """
        until = time.monotonic() + _LEASE_WAIT_SECONDS
        while not self._lease.acquire():
            if time.monotonic() > until:
                raise Conflict(_TAKEN)
            time.sleep(_STOP_CHECK_SECONDS)
        try:
            for _ in range(_ROUNDS):
                self.retry_missing()
                self._update_table()
                if not self._missing:
                    return
            raise Unavailable(
                f"The readings of {sum(map(len, self._missing.values()))} files are missing or "
                "damaged in the object store, and so not in the lake: run `timba fsck --deep`."
            )
        except Interrupted:
            raise Conflict(_TAKEN) from None
        except _failures() as error:
            raise Unavailable(f"The lake cannot be brought up to date: {error}") from error
        finally:
            self.close()

    def retry_missing(self) -> None:
        """Let the next cycle try missing objects again, whether the pause is over or not."""
        self._retry_at = 0.0

    def close(self) -> None:
        """Close the catalog and release the lease."""
        self._forget_table()
        super().close()

    def run_once(self) -> CycleResult:
        """Bring each client up to date whose stream has moved, if this follower holds the lease."""
        try:
            self._keep_lease()
            has_changed = self._update_table()
        except Interrupted:
            self._forget_table()
            return CycleResult.STANDBY
        except _failures() as error:
            drop_connection()
            self._forget_table()
            self._warn_once("the lake cannot be brought up to date", reason=str(error))
            return CycleResult.STUCK
        if self._missing:
            keys = [found.key for objects in self._missing.values() for found in objects]
            self._warn_once(
                f"{len(keys)} objects are missing or damaged", keys=sorted(keys)[:_LOGGED_KEYS]
            )
        else:
            self._log_recovery("the lake is brought up to date again")
        return CycleResult.MOVED if has_changed else CycleResult.IDLE

    def _update_table(self) -> bool:
        """Bring the clients up to date, and expire snapshots; return whether the table changed.

        The lease is renewed meanwhile, since a single step may take longer than it lasts.
        """
        with heartbeat(self._lease.renew, seconds=RENEWAL_SECONDS):
            table = self._load()
            has_changed = self._follow_clients(table)
            if is_due(table):
                self._keep_lease()
                expire_snapshots(table)
                self._version = table.metadata_location
        return has_changed

    def _follow_clients(self, table: Table) -> bool:
        streams = stream_positions()
        retries = time.monotonic() >= self._retry_at
        has_changed = False
        known = {*streams, *self._positions, *self._contents.clients, *self._missing}
        for client_id in sorted(known):
            stream = streams.get(client_id)
            has_moved = stream is None or stream != self._positions.get(client_id)
            if has_moved or (retries and client_id in self._missing):
                self._keep_lease()
                has_changed |= self._follow(table, client_id, retries=retries)
        if not self._missing:
            self._retry_pause = self.min_pause
        elif retries:
            self._retry_at = time.monotonic() + self._retry_pause
            self._retry_pause = min(self._retry_pause * 2, self.max_pause)
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

    def _follow(self, table: Table, client_id: int, *, retries: bool) -> bool:
        """Bring one client up to date; return whether the table changed.

        What is missing was erased since, and an event tells of that. Or it is lost, which `fsck`
        tells. The client's position in the table stays where it was meanwhile.
        """
        missing = self._missing.get(client_id, [])
        state = read_client(
            client_id,
            since=self._positions.get(client_id),
            retried={found.file_id for found in missing} if retries else (),
        )
        outcome = publish(
            table,
            self._contents,
            state,
            missing=[found for found in missing if not state.covers(found.file_id)],
            keep_lease=self._keep_lease,
        )
        self._version = table.metadata_location
        if outcome.missing:
            self._missing[client_id] = outcome.missing
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
        """Renew the lease if that is due; raise Interrupted where the cycle must end."""
        if self._stopping or not self._lease.acquire():
            raise Interrupted


def _failures() -> tuple[type[Exception], ...]:
    """Return what a later round may not meet again: outages, and commits of somebody else."""
    outages = (*database_errors(), SQLAlchemyError, OSError)
    # The last one: the catalog was removed, to have the table made anew.
    return (*outages, CommitFailedException, ValidationException, NoSuchTableError)
