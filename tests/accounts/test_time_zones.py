"""Times in the zone of a client say which zone that is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from timba.accounts.time_zones import find_zone, format_in_zone


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UTC", "2026-07-01 23:30 UTC"),
        ("Europe/Riga", "2026-07-02 02:30 Europe/Riga (UTC+3)"),
        ("Asia/Kolkata", "2026-07-02 05:00 Asia/Kolkata (UTC+5:30)"),
        ("America/St_Johns", "2026-07-01 21:00 America/St_Johns (UTC-2:30)"),
        ("Europe/London", "2026-07-02 00:30 Europe/London (UTC+1)"),
        ("Removed/Zone", "2026-07-01 23:30 UTC"),
    ],
)
def test_a_time_is_told_with_its_zone(name: str, text: str) -> None:
    assert format_in_zone(datetime(2026, 7, 1, 23, 30, 59, tzinfo=UTC), find_zone(name)) == text


def test_the_hour_that_occurs_twice_is_told_by_its_offset() -> None:
    texts = {
        format_in_zone(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), find_zone("Europe/Riga"))
        for hour in (0, 1)
    }
    assert texts == {
        "2026-10-25 03:30 Europe/Riga (UTC+3)",
        "2026-10-25 03:30 Europe/Riga (UTC+2)",
    }
