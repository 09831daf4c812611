"""JSON encoding and decoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from timba.serialization import (
    MAX_DEPTH,
    NestedTooDeeply,
    dumps,
    loads,
)


def test_times_are_utc_with_z() -> None:
    riga = timezone(timedelta(hours=2))
    assert dumps(datetime(2026, 11, 21, 7, 30, tzinfo=UTC)) == b'"2026-11-21T07:30:00Z"'
    assert dumps(datetime(2026, 11, 21, 7, 30, tzinfo=riga).astimezone(UTC)) == (
        b'"2026-11-21T05:30:00Z"'
    )


@pytest.mark.parametrize("number", ["0.001", "21.168", "9999.999", "99999970.000", "-7.43"])
def test_decimals_are_numbers_and_exact(number: str) -> None:
    assert Decimal(dumps(Decimal(number)).decode()) == Decimal(number)


def test_unsupported_types_are_rejected() -> None:
    with pytest.raises(TypeError):
        dumps(object())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[0,{"a":[', "]}]")])
def test_deeply_nested_json_is_rejected(opening: str, closing: str) -> None:
    each = opening.count("[") + opening.count("{")
    deepest = MAX_DEPTH // each
    within = opening * deepest + "1" + closing * deepest
    assert dumps(loads(within)) == within.encode()
    for depth in (deepest + 1, 1_000 // each, 1_024, 100_000):
        with pytest.raises(NestedTooDeeply):
            loads(opening * depth + "1" + closing * depth)
