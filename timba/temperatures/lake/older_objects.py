"""Writes objects of earlier versions anew, with the columns that a data file of the table needs.

The new object gets a row before its bytes, and the row of the file's run takes over its key in one
transaction. The other row names the old object then, which the sweeper erases like that of any run
that was replaced. It erases what a crash has left as well, which has a row of the same kind.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from pyarrow import ArrowInvalid

from timba.db.transactions import retry_on_deadlock
from timba.failpoints import failpoint
from timba.files.leases import DerivativeWriter
from timba.files.models import Derivative
from timba.files.storage import new_key, store
from timba.files.sweeping import ABANDONED_AFTER
from timba.temperatures.lake.counted_objects import CountedObject
from timba.temperatures.readings.columns import has_constant_columns
from timba.temperatures.readings.stored_readings import (
    StoredReadings,
    iter_row_groups,
    open_parquet,
)
from timba.temperatures.readings.writing import ReadingsWriter

# No claim of a file has such a number, so no totals are staged under it.
_FIRST_RUN: Final = 2**30
# Before a sweeper may take the row for one that a crash has left.
_MAX_DURATION: Final = ABANDONED_AFTER - timedelta(minutes=30)


def is_older(counted: CountedObject) -> bool:
    """Return whether an object was written by an earlier version.

    Raises OSError, and ArrowInvalid for a damaged object.
    """
    with _damage_is_invalid(), open_parquet(_stored(counted)) as parquet:
        return not has_constant_columns(parquet)


def rewrite(
    counted: CountedObject, *, client_id: int, keep_lease: Callable[[], None]
) -> CountedObject:
    """Write the same readings to a new object; return it once the file's row names it.

    Raises FileNotFoundError where the file has changed meanwhile, so that its object does not count
    any more, and ArrowInvalid for a damaged object.
    """
    newer = _create_row(counted)
    writer = DerivativeWriter(store().create(newer.storage_key), derivative_id=newer.pk)
    with (
        writer,
        ReadingsWriter(writer, client_id=client_id, file_id=counted.file_id) as readings,
    ):
        for columns in _iter_row_groups(counted):
            readings.add(*columns)
            keep_lease()
    failpoint("lake.object_rewritten")
    if not _exchange(counted, newer.pk):
        store().purge(newer.storage_key)
        Derivative.objects.filter(pk=newer.pk).delete()
        raise FileNotFoundError(counted.key)
    failpoint("lake.object_exchanged")
    return CountedObject(counted.derivative_id, counted.file_id, newer.storage_key)


def _stored(counted: CountedObject) -> StoredReadings:
    return StoredReadings(key=counted.key, open=partial(store().open_bytes, counted.key))


def _iter_row_groups(counted: CountedObject) -> Iterator[tuple[Any, Any, Any]]:
    with _damage_is_invalid():
        yield from iter_row_groups(_stored(counted))


@contextmanager
def _damage_is_invalid() -> Iterator[None]:
    """Raise ArrowInvalid for any damage: of some, pyarrow tells by an OSError without a number."""
    try:
        yield
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:
            raise
        raise ArrowInvalid(str(error)) from error


@retry_on_deadlock
def _create_row(counted: CountedObject) -> Derivative:
    return Derivative.objects.create(
        file_id=counted.file_id,
        run=_FIRST_RUN + secrets.randbelow(_FIRST_RUN),
        role=Derivative.Role.READINGS,
        storage_key=new_key(),
    )


@retry_on_deadlock
def _exchange(counted: CountedObject, newer_id: int) -> bool:
    """Let the row of the file's run name the new object, and the new row the old one.

    Returns False, and changes nothing, where either row has changed: a sweeper may have read it.
    """
    with transaction.atomic():
        rows = Derivative.objects.select_for_update().order_by("pk")
        found = rows.in_bulk([counted.derivative_id, newer_id])
        if len(found) < 2:
            return False
        older, newer = found[counted.derivative_id], found[newer_id]
        now = timezone.now()
        is_late = newer.created_at < now - _MAX_DURATION
        if is_late or not older.is_current or older.storage_key != counted.key:
            return False
        for name in ("storage_key", "size", "sha256"):
            values = getattr(newer, name), getattr(older, name)
            setattr(older, name, values[0])
            setattr(newer, name, values[1])
        # Requests may still read the old object for as long as that of any run.
        newer.created_at = now
        older.save()
        newer.save()
    return True
