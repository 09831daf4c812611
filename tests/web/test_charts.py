"""The geometry of small charts: points, gaps, ticks."""

from __future__ import annotations

import pytest

from timba.web.charts import Day, Tick, draw_sparkline, draw_strip, find_ticks

WEEK = range(100, 107)


def day(number: int, mean: int, *, spread: int = 0) -> Day:
    return Day(number=number, lowest=mean - spread, highest=mean + spread, mean=mean)


def test_a_sparkline_fills_its_box_from_the_lowest_to_the_highest_mean() -> None:
    days = [day(100, -500), day(101, 0), *(day(number, 500) for number in range(102, 107))]
    assert draw_sparkline(days, shown=WEEK) == [
        "1.0,25.0 18.0,13.0 35.0,1.0 52.0,1.0 69.0,1.0 86.0,1.0 103.0,1.0"
    ]


def test_a_sparkline_shows_a_hundredth_of_a_degree_as_nearly_level() -> None:
    assert draw_sparkline([day(100, 700), day(101, 701)], shown=WEEK) == ["1.0,13.1 18.0,12.9"]


def test_days_without_readings_are_a_gap_and_a_lone_day_is_half_a_day_wide() -> None:
    days = [day(100, 0), day(101, 200), day(103, 100)]
    assert draw_sparkline(days, shown=WEEK) == ["1.0,25.0 18.0,1.0", "47.8,13.0 56.2,13.0"]


def test_a_strip_has_bands_ticks_and_the_line_of_freezing() -> None:
    strip = draw_strip([day(100, 0, spread=100), day(106, 100, spread=100)], shown=WEEK)
    # From -1 to 2 °C, so 80 / 3 high for each degree.
    assert strip.ticks == [
        Tick(y="0.0", label="2"),
        Tick(y="26.7", label="1"),
        Tick(y="53.3", label="0"),
        Tick(y="80.0", label="−1"),
    ]
    assert strip.zero_y == "53.3"
    assert strip.lines == ["-15.0,53.3 15.0,53.3", "345.0,26.7 375.0,26.7"]
    assert strip.bands[0] == "-15.0,26.7 15.0,26.7 15.0,80.0 -15.0,80.0"
    assert draw_strip([day(100, 500)], shown=WEEK).zero_y is None


@pytest.mark.parametrize(
    ("lowest", "highest", "ticks"),
    [
        (-324, 1418, [-5, 0, 5, 10, 15]),
        (-1, 0, [-1, 0]),
        (500, 500, [5, 6]),
        (0, 401, [0, 2, 4, 6]),
        (-27_315, 99_999, [-500, 0, 500, 1000]),
    ],
)
def test_ticks_are_few_even_and_around_the_values(
    lowest: int, highest: int, ticks: list[int]
) -> None:
    assert find_ticks(lowest, highest) == ticks
