"""The period of the page of temperatures: parsed from a query, and remembered in the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from timba.serialization import format_utc
from timba.temperatures.statistics.bounds import (
    ALL_TIME,
    MAX_TIME,
    MIN_TIME,
    TimeRange,
    parse_timestamp,
    to_datetime,
    to_microseconds,
)

PERIOD_IN_SESSION: Final = "temperatures_period"
ALL: Final = "all"
# key in the query: (label, length)
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
    "1y": ("1 y", timedelta(days=365)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The period that the page shows; `key` names one of PERIODS, is ALL, or empty for dates."""

    bounds: TimeRange = ALL_TIME
    key: str = ALL

    @property
    def start(self) -> datetime | None:
        return to_datetime(self.bounds.start) if self.bounds.start > MIN_TIME else None

    @property
    def stop(self) -> datetime | None:
        return to_datetime(self.bounds.stop) if self.bounds.stop < MAX_TIME else None

    @property
    def is_empty(self) -> bool:
        """Whether no time lies in the period."""
        return self.bounds.start >= self.bounds.stop

    @property
    def query(self) -> dict[str, str]:
        """The parameters of a query for this period."""
        if self.key:
            return {"last": self.key}
        dates = {"from": self.start, "to": self.stop}
        return {name: format_utc(at) for name, at in dates.items() if at is not None}


def parse_period(params: Mapping[str, Any]) -> Period | None:
    """Return the period that `last`, or else `from` and `to` name; None without any of them.

    `last` counts back from now, in whole minutes. `from` is included, `to` is not. Raises
    ValueError for any other value.
    """
    if not {"last", "from", "to"} & params.keys():
        return None
    key = params.get("last")
    if key == ALL:
        return Period()
    if key:
        if key not in PERIODS:
            raise ValueError(f"{key!r} is not a period")
        now = timezone.now().replace(second=0, microsecond=0)
        return Period(bounds=TimeRange(start=to_microseconds(now - PERIODS[key][1])), key=key)
    start, stop = params.get("from"), params.get("to")
    bounds = TimeRange(
        start=parse_timestamp(start) if start else MIN_TIME,
        stop=parse_timestamp(stop) if stop else MAX_TIME,
    )
    return Period(bounds=bounds, key=ALL if bounds.is_unbounded else "")


def remember_period(session: SessionBase, period: Period) -> None:
    """Keep the period for the next page; the session is written only where that changes it."""
    if session.get(PERIOD_IN_SESSION, Period().query) != period.query:
        session[PERIOD_IN_SESSION] = period.query


def remembered_period(session: SessionBase) -> Period:
    """Return the period of the last page, or all time.

    Another version of Timba may have kept one that this one does not know.
    """
    kept = session.get(PERIOD_IN_SESSION)
    try:
        return (parse_period(kept) if isinstance(kept, dict) else None) or Period()
    except (TypeError, ValueError):
        return Period()
