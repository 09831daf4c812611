"""Timestamps in every order of dates, clock and zone, against `datetime`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timba.temperatures.layout.layouts import PLAIN, Columns, DateOrder, Layout
from timba.temperatures.lines.reasons import LineError, Reason
from timba.temperatures.lines.timestamp_fields import timestamp_parser

DAY_FIRST = Layout(dates=DateOrder.DAY_FIRST)
MONTH_FIRST = Layout(dates=DateOrder.MONTH_FIRST)
YEAR_FIRST = Layout(delimiter=";", decimal=",")
SHORT_YEAR_FIRST = Layout(two_digit_years=True)
DATE_AND_TIME = Layout(columns=Columns(timestamp=2, time=3), width=4, dates=DateOrder.DAY_FIRST)
NOT_DAY_FIRST = "The timestamp is not written like 31.01.2025 14:05:00."
NOT_MONTH_FIRST = "The timestamp is not written like 01/31/2025 14:05:00."
NOT_YEAR_FIRST = "The timestamp is not written like 2025-01-31 14:05:00."


def parse(text: str, layout: Layout) -> int | str:
    """Return microseconds since 1970, or the reason why there are none."""
    try:
        return timestamp_parser(layout)(text)
    except LineError as error:
        return error.reason


def microseconds(text: str) -> int:
    """Return the microseconds of a moment in ISO 8601 with an offset."""
    at = datetime.fromisoformat(text)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("layout", "text", "moment"),
    [
        (DAY_FIRST, "02/08/2022 15:30", "2022-08-02T15:30+00:00"),
        (DAY_FIRST, "2.8.2022 8:30:05", "2022-08-02T08:30:05+00:00"),
        (DAY_FIRST, "31-12-99 23:59", "1999-12-31T23:59+00:00"),
        (DAY_FIRST, "2022-08-02 15:30", "2022-08-02T15:30+00:00"),
        (DAY_FIRST, "2022/08/02T15:30Z", "2022-08-02T15:30+00:00"),
        (MONTH_FIRST, "4/30/2026 1:42:00 PM", "2026-04-30T13:42+00:00"),
        (MONTH_FIRST, "4/30/26 13:42", "2026-04-30T13:42+00:00"),
        (MONTH_FIRST, "4/3/2026 12:05 am", "2026-04-03T00:05+00:00"),
        (MONTH_FIRST, "2026-04-03 12:05", "2026-04-03T12:05+00:00"),
        (YEAR_FIRST, "2026/4/3 8:05", "2026-04-03T08:05+00:00"),
        (YEAR_FIRST, "2026.04.03 08:05", "2026-04-03T08:05+00:00"),
        (SHORT_YEAR_FIRST, "26/04/03 08:05", "2026-04-03T08:05+00:00"),
        (SHORT_YEAR_FIRST, "2026-04-03 08:05", "2026-04-03T08:05+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05:00,25", "2026-04-03T08:05:00.250000+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05:00.25", "2026-04-03T08:05:00.250000+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05 GMT", "2026-04-03T08:05+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05 GMT+02:00", "2026-04-03T06:05+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05GMT-0330", "2026-04-03T11:35+00:00"),
        (YEAR_FIRST, "2026-04-03 08:05 UTC+2", "2026-04-03T06:05+00:00"),
        (YEAR_FIRST, "2026-04-03 8:05 PM UTC-9:30", "2026-04-04T05:35+00:00"),
        (YEAR_FIRST, "2199-12-31 23:59-23:59", "2200-01-01T23:58+00:00"),
    ],
)
def test_a_timestamp_is_one_moment(layout: Layout, text: str, moment: str) -> None:
    assert parse(text, layout) == microseconds(moment)


@pytest.mark.parametrize(
    ("layout", "text", "reason"),
    [
        (DAY_FIRST, "4/30/2026 13:42", Reason.DATE),
        (DAY_FIRST, "30/04.2026 13:42", NOT_DAY_FIRST),
        (DAY_FIRST, "30042026 13:42", NOT_DAY_FIRST),
        (DAY_FIRST, "30/04/226 13:42", NOT_DAY_FIRST),
        (DAY_FIRST, "30/004/2026 13:42", NOT_DAY_FIRST),
        (DAY_FIRST, "30.04.2026", NOT_DAY_FIRST),
        (DAY_FIRST, "30.04.1969 13:42", Reason.YEAR),
        (DAY_FIRST, "30.04.2200 13:42", Reason.YEAR),
        (DAY_FIRST, "00.04.2026 13:42", Reason.DATE),
        (MONTH_FIRST, "30.04.2026 13:42", Reason.DATE),
        (MONTH_FIRST, "4/30/2026 13:42 PM", Reason.TIME),
        (MONTH_FIRST, "4/30/2026 0:42 AM", Reason.TIME),
        (MONTH_FIRST, "4/30/2026 1:42 XM", NOT_MONTH_FIRST),
        (MONTH_FIRST, "4/30/2026 24:00", Reason.TIME),
        (YEAR_FIRST, "26-04-03 08:05", NOT_YEAR_FIRST),
        (YEAR_FIRST, "03.04.2026 08:05", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05 EET", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05 Z", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05 +2", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05 UTC+200", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05 GMT+24", Reason.OFFSET),
        (YEAR_FIRST, "2026-04-03 08:05 GMT+2:60", Reason.OFFSET),
        (YEAR_FIRST, "2026-04-03 08:05:00,", NOT_YEAR_FIRST),
        (YEAR_FIRST, "2026-04-03 08:05,5", NOT_YEAR_FIRST),
        (Layout(decimal=",", quotes=True), "2026-04-03 08:05:00,5", NOT_YEAR_FIRST),
        (SHORT_YEAR_FIRST, "26/13/03 08:05", Reason.DATE),
        (SHORT_YEAR_FIRST, "6/4/3 08:05", "The timestamp is not written like 25-01-31 14:05:00."),
        (PLAIN, "26-04-03 08:05", Reason.TIMESTAMP),
        (PLAIN, "2026-04-03 08:05 GMT", Reason.TIMESTAMP),
        (
            DATE_AND_TIME,
            "30.04.2026T",
            "The date and the time are not written like 31.01.2025 and 14:05:00.",
        ),
    ],
)
def test_a_bad_timestamp_has_one_reason(layout: Layout, text: str, reason: str) -> None:
    assert parse(text, layout) == reason


@pytest.mark.parametrize("half", ["AM", "PM", "am", "pm", "a.m.", "p.m.", "A.M.", "P.M."])
def test_a_clock_of_twelve_hours_has_every_hour_of_the_day(half: str) -> None:
    hours = [12, *range(1, 12)]
    start = 12 if half[0] in "Pp" else 0
    for number, (layout, blank) in product(range(12), product((PLAIN, MONTH_FIRST), ("", " "))):
        text = f"2026-04-30 {hours[number]}:07{blank}{half}"
        assert parse(text, layout) == microseconds(f"2026-04-30T{start + number:02}:07+00:00")


def test_years_of_two_digits_are_1970_to_2069() -> None:
    for year in range(1970, 2070):
        moment = microseconds(f"{year}-02-03T04:05+00:00")
        assert parse(f"03.02.{year % 100:02} 04:05", DAY_FIRST) == moment
        assert parse(f"2/3/{year % 100:02} 04:05", MONTH_FIRST) == moment
        assert parse(f"{year % 100:02}-02-03 04:05", SHORT_YEAR_FIRST) == moment


def test_only_days_that_exist_are_read() -> None:
    for year, month, day in product((1999, 2000, 2024, 2100), range(14), range(33)):
        try:
            midnight = microseconds(f"{date(year, month, day)}T00:00+00:00")
        except ValueError:
            midnight = None
        for layout, text in (
            (DAY_FIRST, f"{day}.{month}.{year} 0:00"),
            (MONTH_FIRST, f"{month}/{day}/{year} 0:00"),
            (PLAIN, f"{year}-{month:02}-{day:02} 0:00"),
        ):
            assert parse(text, layout) == (Reason.DATE if midnight is None else midnight)


def test_the_layouts_zone_is_for_times_without_one() -> None:
    east = Layout(zone_offset=150)
    assert parse("1970-01-01 00:00", east) == -9_000_000_000
    assert parse("1970-01-01 00:00", Layout(zone_offset=-150)) == 9_000_000_000
    for zone in ("Z", " UTC", "+00", " GMT", "-00:00"):
        assert parse(f"1970-01-01 00:00{zone}", east) == 0
    assert parse("1970-01-01 00:00+01:00", east) == -3_600_000_000


_ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59)
_FORMS = {
    DAY_FIRST: ["%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y-%m-%d", "%Y/%m/%d"],
    MONTH_FIRST: ["%m.%d.%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d"],
    YEAR_FIRST: ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"],
    PLAIN: ["%Y-%m-%d", "%Y/%m/%d"],
}


@given(
    st.integers(0, 230 * 365 * 86_400 * 1_000_000),
    _ZONES,
    st.sampled_from([(layout, form) for layout, forms in _FORMS.items() for form in forms]),
    st.sampled_from(["%H:%M:%S.%f", "%I:%M:%S.%f %p"]),
    st.sampled_from(["{}{:02}{:02}", "{}{:02}:{:02}", " {}{:02}{:02}", " {}{:02}:{:02}"]),
)
def test_every_form_agrees_with_datetime(
    passed: int, offset: int, form: tuple[Layout, str], clock: str, zone: str
) -> None:
    layout, day = form
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=passed)
    text = local.strftime(f"{day} {clock}")
    sign = "-" if offset < 0 else "+"
    text += zone.format(sign, *divmod(abs(offset), 60))
    at = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse(text, layout) == microseconds(at.isoformat())
