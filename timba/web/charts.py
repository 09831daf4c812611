"""The geometry of small charts: from the days of a series to the points of polylines and polygons.

A chart is an SVG that is stretched to its box, so it holds no text: labels stand beside it. Days
without readings leave a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

# The boxes in which points lie: the `viewBox` of each SVG.
SPARKLINE_SIZE: Final = (104, 26)
STRIP_SIZE: Final = (360, 80)
# Half the stroke of a sparkline, which is drawn up to the edges of its box.
_MARGIN: Final = 1
# A sparkline is at least so many hundredths of a degree high: it shows no noise as weather.
_LEAST_SPAN: Final = 200
# Degrees from one tick to the next, and how many steps a chart has at most.
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_MAX_STEPS: Final = 4
_MINUS: Final = "−"


class Day(NamedTuple):
    """A day with readings: days since 1970, and temperatures in hundredths of a degree Celsius."""

    number: int
    lowest: int
    highest: int
    mean: int


class Tick(NamedTuple):
    """A line across a chart: its height in the box, and its label in whole degrees Celsius."""

    y: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """The parts of a chart of STRIP_SIZE. Ticks are in order from the top; `zero_y` is at 0 °C."""

    bands: list[str]
    lines: list[str]
    ticks: list[Tick]
    zero_y: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """Maps days and hundredths of a degree to a box, whose y axis points down."""

    days: range
    bottom: float
    top: float
    size: tuple[int, int]
    margin: int = 0

    def x(self, day: float) -> float:
        share = (day - self.days.start) / max(1, len(self.days) - 1)
        return self.margin + share * (self.size[0] - 2 * self.margin)

    def y(self, hundredths: float) -> float:
        share = (self.top - hundredths) / (self.top - self.bottom)
        return self.margin + share * (self.size[1] - 2 * self.margin)

    def points(self, pairs: Iterable[tuple[float, int]]) -> str:
        return " ".join(f"{self.x(day):.1f},{self.y(value):.1f}" for day, value in pairs)


def draw_sparkline(days: Sequence[Day], *, shown: range) -> list[str]:
    """Return the polylines of the daily means; `days` are those of `shown` with readings."""
    means = [day.mean for day in days]
    middle, span = (min(means) + max(means)) / 2, max(_LEAST_SPAN, max(means) - min(means))
    scale = _Scale(
        days=shown,
        bottom=middle - span / 2,
        top=middle + span / 2,
        size=SPARKLINE_SIZE,
        margin=_MARGIN,
    )
    return _mean_lines(days, scale)


def draw_strip(days: Sequence[Day], *, shown: range) -> Strip:
    """Return a chart of daily means, each in the band from its day's lowest to its highest."""
    degrees = find_ticks(min(day.lowest for day in days), max(day.highest for day in days))
    scale = _Scale(days=shown, bottom=100 * degrees[0], top=100 * degrees[-1], size=STRIP_SIZE)
    bands = [
        scale.points(
            [
                *((x, day.highest) for x, day in run),
                *((x, day.lowest) for x, day in reversed(run)),
            ]
        )
        for run in _runs(days)
    ]
    return Strip(
        bands=bands,
        lines=_mean_lines(days, scale),
        ticks=[
            Tick(y=f"{scale.y(100 * degree):.1f}", label=str(degree).replace("-", _MINUS))
            for degree in reversed(degrees)
        ],
        zero_y=f"{scale.y(0):.1f}" if degrees[0] <= 0 <= degrees[-1] else None,
    )


def find_ticks(lowest: int, highest: int) -> list[int]:
    """Return evenly spaced whole degrees, at least two, around some hundredths of a degree."""
    for step in _STEPS:
        first, last = lowest // (100 * step), -(-highest // (100 * step))
        if last - first <= _MAX_STEPS or step == _STEPS[-1]:
            break
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _mean_lines(days: Sequence[Day], scale: _Scale) -> list[str]:
    return [scale.points((x, day.mean) for x, day in run) for run in _runs(days)]


def _runs(days: Sequence[Day]) -> Iterator[list[tuple[float, Day]]]:
    """Yield days that follow each other, with their places; a lone day is half a day wide."""
    run: list[tuple[float, Day]] = []
    for day in days:
        if run and run[-1][1].number + 1 != day.number:
            yield _widened(run)
            run = []
        run.append((day.number, day))
    yield _widened(run)


def _widened(run: list[tuple[float, Day]]) -> list[tuple[float, Day]]:
    if len(run) > 1:
        return run
    [(number, day)] = run
    return [(number - 0.25, day), (number + 0.25, day)]
