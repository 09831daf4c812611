"""Decides the order of day, month and year from the dates of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Final

from timba.files.answers import listed
from timba.files.questions import Question
from timba.temperatures.layout.answers import Answers
from timba.temperatures.layout.layouts import DateOrder, Layout
from timba.temperatures.layout.tables import Table
from timba.temperatures.layout.values import DATE_PART
from timba.temperatures.lines.parsing import Reading, line_parser
from timba.temperatures.lines.splitting import split_fields
from timba.temperatures.lines.timestamp_fields import full_year

_ALL: Final = frozenset(DateOrder)
_NONE: Final = frozenset[DateOrder]()
_ORDER_WORDS: Final = {
    DateOrder.YEAR_FIRST: "year first",
    DateOrder.DAY_FIRST: "day first",
    DateOrder.MONTH_FIRST: "month first",
}
_BEGINNINGS: Final = {
    DateOrder.YEAR_FIRST: "year",
    DateOrder.DAY_FIRST: "day",
    DateOrder.MONTH_FIRST: "month",
}
# Lines that are searched for dates at a time.
_BATCH: Final = 8192
# Different dates that are remembered, so that each is looked at once.
MAX_SEEN: Final = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DateDecision:
    """The order of dates, the best guess where it is open, and why.

    A question that `is_contradicted` is about dates of which some decide so and some otherwise.
    """

    order: DateOrder = DateOrder.YEAR_FIRST
    two_digit_years: bool = False
    evidence: str = ""
    question: Question | None = None
    is_contradicted: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A date as it is written, the orders in which it exists, and the line that it is on."""

    orders: frozenset[DateOrder]
    text: str
    place: str
    has_short_year: bool
    line: bytes


def decide_dates(
    table: Table,
    column: int,
    answers: Answers,
    layout: Layout,
    lines: Callable[[Layout], Iterable[bytes]] | None,
) -> DateDecision:
    """Return the order of the dates in a column, by the head or else by all lines of the file."""
    found = list(_dates_in_head(table, column))
    others = [each for each in found if each.orders != _ALL or each.has_short_year]
    # Some lines in another form than the rest are bad lines of the plain layout.
    is_year_first = 2 * len(others) <= len(found)
    short_years = 2 * sum(each.has_short_year for each in found) > len(found)
    if answers.dates is not None:
        evidence = _tell(answers.dates, answers.source("dates"))
        return DateDecision(order=answers.dates, two_digit_years=short_years, evidence=evidence)
    if is_year_first:
        return DateDecision()
    # Where no line of the head is a reading, its columns are open too.
    others = [each for each in others if _is_reading(each, layout)] or others
    orders, deciding = _decide(others)
    if len(orders) > 1 and lines is not None:
        every = _dates_in_lines(lines(layout), layout, column)
        orders, deciding = _decide(others, every)
    if len(orders) == 1:
        [order] = orders
        evidence = _tell(order, f"as in “{deciding[-1].text}”{deciding[-1].place}")
        return DateDecision(
            order=order,
            two_digit_years=short_years and order is DateOrder.YEAR_FIRST,
            evidence=evidence,
        )
    return _ask(orders, deciding, others[0], short_years=short_years)


def _tell(order: DateOrder, source: str) -> str:
    return f"Dates begin with the {_BEGINNINGS[order]}, {source}."


def _ask(
    orders: frozenset[DateOrder], deciding: Sequence[_Found], first: _Found, *, short_years: bool
) -> DateDecision:
    if orders:
        choices = [order for order in _usual_orders(first) if order in orders]
        sentence = (
            f"“{first.text}”{first.place} can be {_listed(choices)}, and no line of the file "
            "decides which. In which order are the dates?"
        )
    else:
        one, *_, other = deciding
        choices = list(_usual_orders(first))
        sentence = (
            f"“{one.text}”{one.place} can only be {_listed(_sorted(one.orders))}, "
            f"“{other.text}”{other.place} only {_listed(_sorted(other.orders))}. In which order "
            "are the dates?"
        )
    question = Question(
        field="dates", sentence=sentence, choices=tuple(order.value for order in choices)
    )
    return DateDecision(
        order=choices[0],
        two_digit_years=short_years,
        question=question,
        is_contradicted=not orders,
    )


def _usual_orders(first: _Found) -> Sequence[DateOrder]:
    """Return the orders that a date may be in, the most usual one with its signs first."""
    orders = [DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST]
    return [*orders, DateOrder.YEAR_FIRST] if first.has_short_year else orders


def _sorted(orders: frozenset[DateOrder]) -> list[DateOrder]:
    return [order for order in DateOrder if order in orders]


def _listed(orders: Sequence[DateOrder]) -> str:
    return listed([_ORDER_WORDS[order] for order in orders])


def _decide(
    head: Iterable[_Found], rest: Iterable[_Found] = ()
) -> tuple[frozenset[DateOrder], Sequence[_Found]]:
    """Return the orders in which all dates exist, and the dates that narrowed them down.

    All of the head counts, so that it is noticed when its dates contradict each other; of the rest,
    only as many as decide.
    """
    orders, deciding = _ALL, list[_Found]()
    for each in head:
        if each.orders and not orders <= each.orders:
            orders &= each.orders
            deciding.append(each)
        if not orders:
            return orders, deciding
    if len(orders) > 1:
        for each in rest:
            if each.orders and not orders <= each.orders:
                orders &= each.orders
                deciding.append(each)
            if len(orders) <= 1:
                break
    return orders, deciding


def _dates_in_head(table: Table, column: int) -> Iterator[_Found]:
    for row in table.rows:
        text = table.text(row, column)
        if match := DATE_PART.match(text):
            orders, has_short_year = _orders(match["first"], match["second"], match["third"])
            line = row.line.encode(errors="replace")
            yield _Found(orders, text, f" on line {row.number}", has_short_year, line)


def _is_reading(found: _Found, layout: Layout) -> bool:
    """Return whether the line of a date is a reading in an order in which the date exists.

    A bad line decides nothing.
    """
    layout = layout.with_any_city()
    return any(
        isinstance(line_parser(each)(found.line), Reading)
        for each in (
            replace(layout, dates=order, two_digit_years=order is DateOrder.YEAR_FIRST)
            for order in found.orders
        )
    )


def _dates_in_lines(lines: Iterable[bytes], layout: Layout, column: int) -> Iterator[_Found]:
    """Yield the different dates in a column of all readings, as fast as a pattern finds them."""
    sign = re.escape(layout.delimiter.encode())
    date_at_start = rb"[ \t]*([0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{1,4})(?![0-9])"
    dates = re.compile(
        rb"^(?:[^\n%b]*%b){%d}%b" % (sign, sign, column, date_at_start), re.MULTILINE
    )
    seen: set[bytes] = set()
    data = islice(lines, layout.skipped_lines, None)
    while batch := list(islice(data, _BATCH)):
        if len(seen) > MAX_SEEN:
            seen.clear()
        bare = [_without_quotes(line, layout) for line in batch] if layout.quotes else batch
        new = set(dates.findall(b"\n".join(bare))) - seen
        # Those that exist in no order, or in all, decide nothing whatever their lines are.
        deciding = {text for text in new if _orders_of(text)[0] not in (_NONE, _ALL)}
        seen |= new - deciding
        if not deciding:
            continue
        for line, bare_line in zip(batch, bare, strict=True):
            match = dates.match(bare_line)
            if match is None or match[1] not in deciding:
                continue
            orders, has_short_year = _orders_of(match[1])
            found = _Found(orders, match[1].decode(), "", has_short_year, line)
            if _is_reading(found, layout):
                deciding.remove(match[1])
                seen.add(match[1])
                yield found


def _without_quotes(line: bytes, layout: Layout) -> bytes:
    """Return a line without quotation marks, and without the delimiters between them."""
    if line.count(layout.delimiter.encode()) < layout.width:
        return line.replace(b'="', b"").replace(b'"', b"")
    fields = split_fields(line.decode(errors="replace"), layout.delimiter)
    return layout.delimiter.join(each.replace(layout.delimiter, " ") for each in fields).encode()


def _orders_of(text: bytes) -> tuple[frozenset[DateOrder], bool]:
    """Return what `_orders` does of a date that stands alone; one in another form has no order."""
    match = DATE_PART.fullmatch(text.decode())
    return _orders(match["first"], match["second"], match["third"]) if match else (_NONE, False)


@lru_cache(maxsize=4096)
def _orders(first: str, second: str, third: str) -> tuple[frozenset[DateOrder], bool]:
    """Return the orders in which a date exists, and whether its year has two digits.

    A date that begins with a year of four digits is read in every order.
    """
    if len(first) > 2:
        return _ALL, False
    is_short = len(third) <= 2
    orders = {
        DateOrder.DAY_FIRST: (third, second, first),
        DateOrder.MONTH_FIRST: (third, first, second),
    }
    if is_short and len(first) == 2:
        orders[DateOrder.YEAR_FIRST] = (first, second, third)
    exist = (order for order, parts in orders.items() if _exists(*parts))
    return frozenset(exist), is_short


def _exists(year: str, month: str, day: str) -> bool:
    try:
        date(full_year(year), int(month), int(day))
    except ValueError:
        return False
    return True
