"""Compiled queries give what the ORM gives, and their SQL is written once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet

from tests.temperatures.conftest import Receive
from timba.temperatures.models import CityTotals
from timba.temperatures.statistics.compiled_query import CompiledQuery

pytestmark = pytest.mark.django_db


def test_rows_are_those_of_the_query_for_each_value_and_built_once(settle: Receive) -> None:
    settle("7,10,2025-06-01T12:00:00.000001\n7,11,2025-06-01T14:00\n8,-1,2025-06-02T12:00Z\n")
    settle("7,-20.01,2025-06-01T12:00\n")
    built: list[Any] = []

    def build(city_id: Any, most: Any) -> QuerySet[CityTotals, Any]:
        built.append(city_id)
        rows = CityTotals.unscoped.filter(city_id=city_id, max_hundredths__lte=most).order_by("pk")
        return rows.values_list("file_id", "run", "sum_hundredths", "first_at", "last_at")

    query = CompiledQuery(build, "city_id", "most")
    for city_id, most, count in [(7, 9999, 2), (7, 0, 1), (8, 0, 1), (9, 0, 0)]:
        rows = query.fetch(city_id=city_id, most=most)
        assert len(rows) == count
        assert len(built) == 1
        assert rows == list(build(city_id, most))
        built.pop()
