"""Changes the data behind temperature statistics: counts and uncounts readings.

Each change sets a new data version in its own transaction, so that no cached statistic outlives it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

from timba.db.transactions import yield_to_writers
from timba.failpoints import failpoint
from timba.files.models import File
from timba.files.processors.base import Findings
from timba.files.profiles import remember_reading
from timba.temperatures.models import CityTotals, DataVersion
from timba.temperatures.readings.staging import prepare_totals
from timba.temperatures.readings.totals import CityColumns

DELETE_BATCH_SIZE = 1000


def stage_totals(
    *,
    client_id: int,
    file_id: uuid.UUID,
    run: int,
    cities: CityColumns,
    writing: Callable[[], AbstractContextManager[None]],
) -> None:
    """Insert totals that count only once the file is settled with this run.

    `writing` opens the transaction, which is short: the rows are built before it, and other writers
    get a turn after it.
    """
    insert = prepare_totals(client_id=client_id, file_id=file_id, run=run, cities=cities)
    with _yielding_to_writers(), writing():
        insert()
        failpoint("temperatures.staged")


def delete_staged_totals(file_id: uuid.UUID, run: int) -> None:
    """Delete the totals that an abandoned run staged, in small transactions."""
    rows = CityTotals.unscoped.filter(file_id=file_id, run=run)
    numbers = rows.order_by("city_id").values_list("city_id", flat=True)
    while True:
        next_number = next(iter(numbers[DELETE_BATCH_SIZE : DELETE_BATCH_SIZE + 1]), None)
        with _yielding_to_writers():
            (rows if next_number is None else rows.filter(city_id__lt=next_number)).delete()
        if next_number is None:
            return


def record_readings(file: File, findings: Findings) -> None:
    """Make the readings of a file count, in the transaction that settles it as SUCCESS."""
    remember_reading(file, findings)
    renew_data_version(client_id=_client_id_of(file))


def renew_version_for(file: File) -> None:
    """Set a new data version, in the transaction that deletes or restores a file.

    Its readings stop counting, or count again: the condition `is_counting` is that of its row.
    """
    renew_data_version(client_id=_client_id_of(file))


@contextmanager
def _yielding_to_writers() -> Iterator[None]:
    """Give other writers a turn afterwards, in proportion to how long the block took."""
    started = time.monotonic()
    yield
    yield_to_writers(time.monotonic() - started)


def _client_id_of(file: File) -> int:
    # Only a file that is still being uploaded has no client yet.
    return cast("int", file.client_id)


def renew_data_version(*, client_id: int) -> None:
    """Set a new data version, in the transaction that changes readings or names of cities."""
    DataVersion.unscoped.update_or_create(client_id=client_id, defaults={"version": uuid.uuid4()})
