"""The order of dates is decided by a line of the file, wherever it stands."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from timba.temperatures.layout import date_orders
from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.layouts import DateOrder, Layout

DAY, MONTH, YEAR = DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST, DateOrder.YEAR_FIRST


def decide(*dates: str, rest: Iterable[bytes] | None = None) -> Decision:
    """Decide a file with these dates at its beginning, and these lines behind its head."""
    head = "\n".join(["city;temp;at", *(f"7;1;{each} 10:00" for each in dates)]).encode()

    def lines(_: Layout) -> Iterator[bytes]:
        yield from head.split(b"\n")
        yield from rest or ()

    decision = decide_layout(head, lines=None if rest is None else lines)
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["2026-01-31"], YEAR),
        (["2026/1/31", "2026-02-03"], YEAR),
        (["31.01.2026"], DAY),
        (["02.03.2026", "13.03.2026"], DAY),
        (["3/13/2026", "3/2/2026"], MONTH),
        # 31 April exists in neither order.
        (["31/04/2026", "30/04/2026"], DAY),
        (["02-03-2026", "02-29-2024"], MONTH),
        # Years of two digits.
        (["13/01/99"], DAY),
        (["01/13/99"], MONTH),
        (["99/01/13"], YEAR),
        (["26-01-05", "26-01-31", "99-02-03"], YEAR),
        # Most lines decide how a file is written, a few others are bad lines.
        (["2026-01-31", "2026-01-31", "13/01/2026"], YEAR),
        (["2026-01-31", "13/01/2026", "13/01/2026"], DAY),
        (["x", "13/01/2026"], DAY),
    ],
)
def test_a_line_of_the_head_decides(dates: list[str], order: DateOrder) -> None:
    decision = decide(*dates)
    assert decision.questions == ()
    assert decision.layout.dates is order


def test_years_of_two_digits_come_first_where_they_do_in_most_dates() -> None:
    assert decide("26-01-31", "99-02-13").layout.two_digit_years
    assert not decide("2026-01-31", "2026-01-31", "26-01-31").layout.two_digit_years


@pytest.mark.parametrize(
    ("line", "order"),
    [
        (b"7;1;13.03.2026 10:00", DAY),
        (b"7;1;03/13/2026 10:00", MONTH),
        (b"7;1; 13.03.2026T10:00", DAY),
        (b"7;1;\t03/13/2026 10:00", MONTH),
    ],
)
def test_a_line_behind_the_head_decides(line: bytes, order: DateOrder) -> None:
    decision = decide("02.03.2026", rest=[b"7;1;03.03.2026 10:00", b"", b"\xff", line])
    assert (decision.layout.dates, decision.questions) == (order, ())
    date = line.split(b";")[2].strip()[:10].decode()
    word = "day" if order is DAY else "month"
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["dates"] == (
        f"Dates begin with the {word}, as in “{date}”."
    )


@pytest.mark.parametrize(
    "line",
    [
        b"7;1;03.03.2026 10:00",
        b"7;1;2026-03-13 10:00",
        b"7;13.03.2026;03.03.2026 10:00",
        b"7;1;03.03.2026 13.03.2026",
        b"7;1;13.13.2026 10:00",
        b"7;1;x13.03.2026 10:00",
        b"7;1;13.03.20261 10:00",
        b"13.03.2026",
    ],
)
def test_other_lines_leave_the_order_open(line: bytes) -> None:
    [question] = decide("02.03.2026", rest=[line]).questions
    assert question.field == "dates"


@pytest.mark.parametrize("line", [b"x;1;03.13.2026 10:00", b"7;kaput;03.13.2026 10:00"])
def test_a_bad_line_decides_nothing_and_contradicts_nothing(line: bytes) -> None:
    [question] = decide("02.03.2026", rest=[line]).questions
    assert question.field == "dates"
    good = b"7;1;13.03.2026 10:00"
    assert decide("02.03.2026", rest=[line, good]).questions == ()
    head = b"\n".join([b"city;temp;at", b"7;1;02.03.2026 10:00", line, good])
    decision = decide_layout(head)
    assert decision is not None
    assert (decision.layout.dates, decision.questions) == (DAY, ())


def test_a_date_of_a_bad_line_decides_on_the_next_line_that_is_a_reading() -> None:
    rest = [*[b"7;kaput;13.03.2026 10:00"] * 9000, b"7;1;13.03.2026 10:00"]
    decision = decide("02.03.2026", rest=rest)
    assert (decision.layout.dates, decision.questions) == (DAY, ())


def test_lines_without_a_city_decide_too() -> None:
    head = b"temp;at\n1;02.03.2026 10:00\n"
    decision = decide_layout(head, lines=lambda _: iter([*head.split(b"\n"), b"1;13.03.2026 1:00"]))
    assert decision is not None
    assert [question.field for question in decision.questions] == ["city_id"]


def test_lines_are_searched_until_one_decides() -> None:
    def rest() -> Iterator[bytes]:
        yield from [b"7;1;02.03.2026 10:00"] * 10_000
        yield b"7;1;13.03.2026 10:00"
        yield from [b"7;1;02.03.2026 10:00"] * 10_000
        raise AssertionError

    assert decide("02.03.2026", rest=rest()).layout.dates is DAY


def test_memory_is_bounded_for_dates_that_exist_in_no_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(date_orders, "MAX_SEEN", 1000)
    dates = (f"{n % 80 + 20}.{n // 80 % 80 + 20}.{n // 6400}" for n in range(1000, 80_000))
    rest = (f"7;1;{each} 10:00".encode() for each in dates)
    tracemalloc.start()
    try:
        assert len(decide("02.03.2026", rest=rest).questions) == 1
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_preamble_decides_nothing_of_the_whole_file() -> None:
    head = b"Start;;13.03.2026\ncity;temp;at\n7;1;02.03.2026 10:00\n"
    decision = decide_layout(head, lines=lambda _: iter(head.split(b"\n")))
    assert decision is not None
    assert [question.field for question in decision.questions] == ["dates"]


@pytest.mark.parametrize(
    "line",
    [
        b'"7","Riga, LV","1","13/03/2026 10:00"',
        b'"7","a ""b""","1","=""13/03/2026 10:00"""',
        b'7,x,1,="13/03/2026 10:00"',
        b"7,x,1,13/03/2026 10:00",
    ],
)
def test_dates_are_found_in_lines_with_quotes(line: bytes) -> None:
    head = b'city,name,temp,at\n"7","Riga","1","02/03/2026 10:00"\n'
    decision = decide_layout(head, lines=lambda _: iter([*head.split(b"\n"), line]))
    assert decision is not None
    assert (decision.layout.dates, decision.questions) == (DAY, ())


def test_all_lines_are_not_read_where_the_head_decides() -> None:
    def lines(_: Layout) -> Iterator[bytes]:
        raise AssertionError

    head = b"city;temp;at\n7;1;13.03.2026 10:00\n"
    assert decide_layout(head, lines=lines) == decide_layout(head)
