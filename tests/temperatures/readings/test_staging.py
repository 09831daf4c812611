"""Rows of totals are inserted as the ORM would insert them, on each database."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from tests.temperatures.conftest import Receive
from tests.temperatures.readings.test_totals import by_city
from timba.accounts.models import User
from timba.temperatures.models import CityTotals
from timba.temperatures.readings.totals import CityColumns
from timba.temperatures.services import stage_totals
from timba.temperatures.statistics.bounds import to_datetime

pytestmark = pytest.mark.django_db

FIELDS = ("client_id", "file_id", "run", "city_id", "count", "sum_hundredths")
MORE_FIELDS = ("min_hundredths", "max_hundredths", "first_at", "last_at")
# The first and the last microsecond that a reading can have, whole seconds, and microseconds.
TIMES = [-86_340_000_000, 7_258_204_799_999_999, 0, 946_684_800_000_000, 1_748_779_200_000_001]


def test_rows_hold_every_value_exactly(owner: User, receive: Receive) -> None:
    file = receive("7,1,2025-06-01T12:00\n")
    cities = CityColumns(
        cities=np.array([1, 2, 3, 4, 2**31 - 1], dtype=np.int32),
        counts=np.array([1, 2**40, 3, 4, 5], dtype=np.int64),
        sums=np.array([-27315, 2**62, -(2**62), 0, 1], dtype=np.int64),
        lowest=np.array([-27315, -1, 0, 0, 1], dtype=np.int32),
        highest=np.array([-27315, 99999, 0, 0, 1], dtype=np.int32),
        firsts=np.array(TIMES, dtype=np.int64),
        lasts=np.array(TIMES[::-1], dtype=np.int64),
    )
    stage_totals(
        client_id=owner.client_id, file_id=file.pk, run=3, cities=cities, writing=transaction.atomic
    )
    rows = CityTotals.unscoped.order_by("city_id").values_list(*FIELDS, *MORE_FIELDS)
    assert list(rows) == [
        (
            *(owner.client_id, file.pk, 3, city, totals.count, totals.sum_hundredths),
            *(totals.min_hundredths, totals.max_hundredths),
            *(to_datetime(totals.first_at), to_datetime(totals.last_at)),
        )
        for city, totals in cities
    ]


def test_times_are_found_as_those_that_the_orm_writes(owner: User, receive: Receive) -> None:
    file = receive("7,1,2025-06-01T12:00\n")
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    at = int(noon.timestamp()) * 1_000_000
    cities = by_city([(1, at, 0), (2, at + 500_000, 0)])
    stage_totals(
        client_id=owner.client_id, file_id=file.pk, run=1, cities=cities, writing=transaction.atomic
    )
    rows = CityTotals.unscoped.order_by("city_id")
    assert list(rows.filter(first_at__lte=noon).values_list("city_id", flat=True)) == [1]
    assert list(rows.filter(last_at__gt=noon).values_list("city_id", flat=True)) == [2]
    assert list(rows.filter(first_at=noon.replace(microsecond=500_000)).values_list("city_id")) == [
        (2,)
    ]


def test_a_city_has_one_row_in_a_run(owner: User, receive: Receive) -> None:
    file = receive("7,1,2025-06-01T12:00\n")
    cities = by_city([(1, 0, 0)])
    stage_totals(
        client_id=owner.client_id, file_id=file.pk, run=1, cities=cities, writing=transaction.atomic
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        stage_totals(
            client_id=owner.client_id,
            file_id=file.pk,
            run=1,
            cities=cities,
            writing=transaction.atomic,
        )
    assert CityTotals.unscoped.filter(file=file).count() == 1
