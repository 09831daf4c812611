"""The template filters for numbers, times and states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from timba.web.templatetags.formatting import (
    celsius,
    file_size,
    local_time,
    percent,
    quantity,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0\xa0bytes"),
        (1, "1\xa0byte"),
        (1023, "1,023\xa0bytes"),
        (1024, "1\xa0kB"),
        (5 * 1024**2, "5\xa0MB"),
        (5 * 1024**2 + 200_000, "5.2\xa0MB"),
        (84 * 1024**2, "84\xa0MB"),
        (int(2.31 * 1024**3), "2.31\xa0GB"),
        (10 * 1024**3, "10\xa0GB"),
    ],
)
def test_size_has_its_unit(number: int, text: str) -> None:
    assert file_size(number) == text


@pytest.mark.parametrize(
    ("degrees", "text"), [(-3.24, "−3.24"), (0, "0.00"), (5.5, "5.50"), (-0.0, "0.00")]
)
def test_degrees_have_two_decimals_and_a_true_minus(degrees: float, text: str) -> None:
    assert celsius(degrees) == text


def test_quantity_has_its_noun_in_the_right_number() -> None:
    assert quantity(1, "row") == "1\xa0row"
    assert quantity(2048, "row") == "2,048\xa0rows"
    assert quantity(2, "city|cities") == "2\xa0cities"
    assert percent(0.999) == "99\xa0%"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 20, 7, 5, 9, tzinfo=UTC),
        datetime(2026, 11, 20, 9, 5, 9, tzinfo=timezone(timedelta(hours=2))),
        "2026-11-20T07:05:09Z",
    ],
)
def test_time_is_rendered_in_utc_for_the_script_to_localize(moment: datetime | str) -> None:
    assert local_time(moment, "full") == (
        '<time datetime="2026-11-20T07:05:09Z" data-time="full">20 Nov 2026, 07:05:09 UTC</time>'
    )


def test_text_that_is_not_a_time_is_unchanged() -> None:
    assert local_time("<soon>") == "&lt;soon&gt;"


def test_time_without_a_zone_is_unchanged_and_says_so() -> None:
    assert local_time("2024-05-06T07:08:09", "full") == (
        '<time datetime="2024-05-06T07:08:09">6 May 2024, 07:08:09</time> (zone unknown)'
    )
