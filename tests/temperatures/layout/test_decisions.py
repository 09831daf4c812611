"""The layout of a temperature file is decided from its head, or asked for."""

from __future__ import annotations

import pytest

from timba.temperatures.layout.decisions import decide_layout
from timba.temperatures.layout.layouts import PLAIN, Columns, DateOrder, Layout, Unit

ROW = "7,21.5,2026-01-31 10:00\n"
HEADER = "city_id,temperature,timestamp\n"


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (ROW, PLAIN),
        ("\ufeff\ufeff" + ROW, PLAIN),
        (HEADER + ROW, Layout(skipped_lines=1)),
        ("depot,degrees,moment\n" + ROW, Layout(skipped_lines=1)),
        ("id,t,at\n" + ROW, Layout(skipped_lines=1)),
        (HEADER, Layout(skipped_lines=1)),
        (HEADER + ROW + "\0" * 900 + "\n" + ROW, Layout(skipped_lines=1)),
        ("7,21.5,2026-01-31 8:30\n7,1,2026/01/31 8:30 PM\n", PLAIN),
        ("bad line\n" + ROW, PLAIN),
    ],
)
def test_the_plain_layout_tells_nothing(text: str, layout: Layout) -> None:
    decision = decide_layout(text.encode())
    assert decision is not None
    assert (decision.layout, decision.questions, decision.read_as) == (layout, (), None)


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (
            "city_id;temperature;timestamp\n7;21,5;2026-01-31 10:00\n",
            Layout(delimiter=";", decimal=",", skipped_lines=1),
        ),
        ("7;21,5;2026-01-31 10:00\n", Layout(delimiter=";", decimal=",")),
        ("7\t21.5\t2026-01-31 10:00\n", Layout(delimiter="\t")),
        ("7|21.5|2026-01-31 10:00\n", Layout(delimiter="|")),
        ('"7","21.5","2026-01-31 10:00"\n', Layout(quotes=True)),
        ('7,21.5,"=""2026-01-31 10:00"""\n7,21.5,="2026-01-31 11:00"\n' + ROW, Layout(quotes=True)),
        (
            "temperature,city_id,timestamp\n21.5,7,2026-01-31 10:00\n",
            Layout(columns=Columns(city=1, temperature=0), skipped_lines=1),
        ),
        ("city,Temp (°F),at\n" + ROW, Layout(unit=Unit.FAHRENHEIT, skipped_lines=1)),
        ("Model: X\nSerial: 5\n\n" + HEADER + ROW, Layout(skipped_lines=4)),
        (
            "city,temp,at\n7,21.5,1/31/2026 1:42 PM\n",
            Layout(dates=DateOrder.MONTH_FIRST, skipped_lines=1),
        ),
    ],
)
def test_other_layouts_are_told(text: str, layout: Layout) -> None:
    decision = decide_layout(text.encode())
    assert decision is not None
    assert (decision.layout, decision.questions) == (layout, ())
    assert decision.read_as is not None
