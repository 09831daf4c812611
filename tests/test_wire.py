"""How values look to callers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from timba.wire import dumps


def test_times_are_utc_with_z() -> None:
    riga = timezone(timedelta(hours=2))
    assert dumps(datetime(2026, 11, 21, 7, 30, tzinfo=UTC)) == b'"2026-11-21T07:30:00Z"'
    assert dumps(datetime(2026, 11, 21, 7, 30, tzinfo=riga).astimezone(UTC)) == (
        b'"2026-11-21T05:30:00Z"'
    )


@pytest.mark.parametrize("number", ["0.001", "21.168", "9999.999", "99999970.000", "-7.43"])
def test_decimals_are_numbers_and_exact(number: str) -> None:
    assert Decimal(dumps(Decimal(number)).decode()) == Decimal(number)


def test_what_has_no_agreed_look_is_refused() -> None:
    with pytest.raises(TypeError):
        dumps(object())
