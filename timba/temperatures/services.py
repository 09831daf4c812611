"""What changes a client's temperature answers: readings begin or cease to count, a city is named.

Each change sets a new data version in its own transaction, so that no kept answer outlives it.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable
from typing import cast

from django.db import transaction

from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission, require
from timba.contention import again_on_contention
from timba.errors import Invalid, NotFound
from timba.files.models import File
from timba.files.processors.base import Findings
from timba.places.models import CITY_NUMBERS, City
from timba.temperatures.bounds import moment
from timba.temperatures.models import CityTotals, DataVersion
from timba.temperatures.totals import Totals

MAX_CITY_NAME = 100
FORGOTTEN_AT_ONCE = 5000


def stage_totals(
    *,
    client_id: int,
    file_id: uuid.UUID,
    run: int,
    cities: Iterable[tuple[int, Totals]],
) -> None:
    """Write totals that count for nobody until the file is settled with this run."""
    CityTotals.unscoped.bulk_create(
        CityTotals(
            client_id=client_id,
            file_id=file_id,
            run=run,
            city_id=city_id,
            count=totals.count,
            sum_hundredths=totals.sum_hundredths,
            min_hundredths=totals.min_hundredths,
            max_hundredths=totals.max_hundredths,
            first_at=moment(totals.first_at),
            last_at=moment(totals.last_at),
        )
        for city_id, totals in cities
    )


def forget_staged_totals(file_id: uuid.UUID, run: int) -> None:
    """Remove what a dead run staged, in small transactions: other writers get their turns."""
    rows = CityTotals.unscoped.filter(file_id=file_id, run=run)
    numbers = rows.order_by("city_id").values_list("city_id", flat=True)
    while True:
        beyond = next(iter(numbers[FORGOTTEN_AT_ONCE : FORGOTTEN_AT_ONCE + 1]), None)
        if beyond is None:
            rows.delete()
            return
        rows.filter(city_id__lt=beyond).delete()


def record_readings(file: File, findings: Findings) -> None:  # noqa: ARG001 - a processor's shape
    """Let a file's readings count, in the transaction that settles it as SUCCESS."""
    _renew_data_version(_owner(file))


def withdraw_readings(file: File) -> None:
    """Let a file's readings no longer count, in the transaction that deletes it."""
    _renew_data_version(_owner(file))


@again_on_contention
def name_city(*, actor: User, client: Client, city_id: int, name: str) -> City:
    """Give a city number a name, or another one; raise Invalid for a name that is none."""
    require(actor, Permission.WRITE_FILES, client=client)
    if city_id not in CITY_NUMBERS:
        raise NotFound("There is no such city.")
    _check_name(name)
    with transaction.atomic():
        city, _ = City.unscoped.update_or_create(
            client=client, number=city_id, defaults={"name": name}
        )
        _renew_data_version(client.pk)
    return city


def _owner(file: File) -> int:
    # Only a file whose bytes are still flowing in has no client yet.
    return cast("int", file.client_id)


def _renew_data_version(client_id: int) -> None:
    DataVersion.unscoped.update_or_create(client_id=client_id, defaults={"version": uuid.uuid4()})


def _check_name(name: str) -> None:
    if not name.strip():
        raise Invalid(fields={"name": ["A city needs a name."]})
    if len(name) > MAX_CITY_NAME:
        raise Invalid(fields={"name": [f"A name has at most {MAX_CITY_NAME} characters."]})
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise Invalid(fields={"name": ["A name has no line breaks or other control characters."]})
