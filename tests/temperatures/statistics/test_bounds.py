"""The texts that callers may write as a bound, and their exact microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.temperatures.statistics.bounds import (
    ALL_TIME,
    MAX_TIME,
    MIN_TIME,
    TimeRange,
    parse_timestamp,
    to_datetime,
    to_microseconds,
)

NOON = 1_748_779_200_000_000  # 2025-06-01T12:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-06-01T12:00:00Z", NOON),
        ("2025-06-01 12:00", NOON),
        ("2025-06-01T14:00:00+02:00", NOON),
        ("2025-06-01T14:00:00 02:00", NOON),  # an unescaped + in a query string
        ("2025-06-01T08:30-0330", NOON),
        ("2025-06-01", NOON - 12 * 3600 * 1_000_000),
        ("2025-06-01T12:00:00.5Z", NOON + 500_000),
        ("2025-06-01T12:00:00,000001z", NOON + 1),
        # A bound between two microseconds is rounded up, at either end of the range.
        ("2025-06-01T12:00:00.0000001", NOON + 1),
        ("2025-06-01T12:00:00.0000010000", NOON + 1),
        ("2025-06-01T12:00:00.9999999", NOON + 1_000_000),
        # Beyond all readings, a bound is limited.
        ("0001-01-01", MIN_TIME),
        ("0001-01-01T00:00+23:59", MIN_TIME),
        ("9999-12-31T23:59:59-23:59", MAX_TIME),
    ],
)
def test_a_timestamp_is_parsed_exactly(text: str, expected: int) -> None:
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "0",
        "1748779200",
        "2025",
        "2025-06",
        "2025-6-1",
        "0000-01-01",
        "2025-02-29",
        "2025-13-01",
        "2025-06-01T",
        "2025-06-01T12",
        "2025-06-01Z",
        "2025-06-01T24:00",
        "2025-06-01T12:60",
        "2025-06-01T12:00:60",
        "2025-06-01T12:00:00.",
        "2025-06-01T12:00:00+24:00",
        "2025-06-01T12:00:00+00:60",
        "2025-06-01T12:00:00+2",
        "2025-06-01T12:00:00Z ",
        " 2025-06-01",
        "2025-06-01_12:00",
        "2025-W22-7",
        "20250601T120000Z",
        "٢٠٢٥-06-01",
        "2025-06-01\n",
        "2025-06-01T12:00:00Z\0",
    ],
)
def test_garbage_is_not_a_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|out of range|must be in"):
        parse_timestamp(text)


@settings(deadline=None)
@given(st.integers(0, 230 * 366 * 86_400_000_000))
def test_all_time_contains_every_reading(since: int) -> None:
    at = datetime(1969, 12, 31, tzinfo=UTC) + timedelta(microseconds=since)
    assert to_datetime(to_microseconds(at)) == at
    assert parse_timestamp(at.isoformat()) == to_microseconds(at)
    assert ALL_TIME.start < to_microseconds(at) < ALL_TIME.stop


def test_only_all_time_is_unbounded() -> None:
    assert ALL_TIME.is_unbounded
    assert not TimeRange(start=0).is_unbounded
    assert not TimeRange(stop=0).is_unbounded
