"""An import profile answers what a temperature file leaves open, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from timba.temperatures.layout.decisions import Decision, decide_layout
from timba.temperatures.layout.layouts import DateOrder, Unit

USED = {
    "code": "profile_used",
    "sentence": "What the file leaves open was taken from an import profile.",
    "count": 1,
}
OPEN_DATES = "city;temp;at\n7;21,5;02.03.2026 10:00\n"


def decide_with(text: str, profile: dict[str, Any], **options: Any) -> Decision:
    """Decide the layout of a file with a profile for its header, and one for another header."""
    alone = decide_layout(text.encode(), **options)
    assert alone is not None
    profiles = [
        {"id": 4, "header_digest": "0" * 64, "read_as": {"dates": "month-first", "unit": "K"}},
        {"id": 5, "header_digest": alone.header_digest, "read_as": profile},
    ]
    decision = decide_layout(text.encode(), profiles=profiles, **options)
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("text", "profile", "field", "value", "sentence"),
    [
        (
            OPEN_DATES,
            {"dates": "month-first"},
            "dates",
            DateOrder.MONTH_FIRST,
            "Dates begin with the month, by the profile.",
        ),
        (
            "city,temp,at\n7,280,2026-01-31 10:00\n",
            {"unit": "K"},
            "unit",
            Unit.KELVIN,
            "Temperatures in K, by the profile.",
        ),
        (
            "city,temp,local time\n7,1,2026-01-31 10:00\n",
            {"zone": "+05:45"},
            "zone_offset",
            345,
            "Times in UTC+05:45, by the profile.",
        ),
    ],
)
def test_a_profile_answers_what_is_open_and_is_told(
    text: str, profile: dict[str, Any], field: str, value: Any, sentence: str
) -> None:
    decision = decide_with(text, profile)
    assert decision.questions == ()
    assert getattr(decision.layout, field) == value
    assert (decision.profile, decision.warnings) == (5, (USED,))
    assert decision.read_as is not None
    assert decision.read_as["profile"] == 5
    assert sentence in decision.read_as["evidence"].values()


def test_a_profile_chooses_between_columns_that_say_the_same() -> None:
    text = "city,at,temp 1,temp 2\n7,2026-01-31 10:00,1,2\n"
    decision = decide_with(text, {"columns": {"temperature": 4, "timestamp": 1}})
    assert (decision.questions, decision.layout.columns.temperature) == ((), 3)
    assert decision.layout.columns.timestamp == 1
    assert decision.read_as is not None
    assert decision.read_as["evidence"]["columns.temperature"] == (
        "Temperature in column D (“temp 2”), by the profile."
    )


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        # The file decides.
        ("city;temp;at\n7;21,5;31.01.2026 10:00\n", {"dates": "month-first"}),
        ("city;temp °C;at\n7;21,5;31.01.2026 10:00\n", {"unit": "F"}),
        ("city;temp;at (UTC+2)\n7;21,5;31.01.2026 10:00\n", {"zone": "UTC"}),
    ],
)
def test_a_profile_has_no_say_where_the_file_decides(text: str, profile: dict[str, Any]) -> None:
    assert decide_with(text, profile) == decide_layout(text.encode())


@pytest.mark.parametrize(
    ("text", "profile", "open_field"),
    [
        # More than half of the rows would be implausible.
        ("city,temp,at\n7,280,2026-01-31 10:00\n", {"unit": "C"}, "unit"),
        # The file contradicts itself.
        (
            "city;temp;at\n7;1;31.01.2026 10:00\n7;1;31.01.2026 11:00\n7;1;01.31.2026 10:00\n",
            {"dates": "day-first"},
            "dates",
        ),
        # A header says nothing of where its logger is.
        ("at,temp\n2026-01-31 10:00,1\n", {"city_id": 41}, "city_id"),
        # It is none of the columns in question.
        (
            "city,at,temp 1,temp 2\n7,2026-01-31 10:00,1,2\n",
            {"columns": {"temperature": 1}},
            "columns.temperature",
        ),
    ],
)
def test_a_profile_leaves_open_what_it_cannot_answer(
    text: str, profile: dict[str, Any], open_field: str
) -> None:
    decision = decide_with(text, profile)
    assert [question.field for question in decision.questions] == [open_field]
    assert (decision.profile, decision.warnings) == (None, ())


def test_all_lines_of_the_file_decide_before_a_profile() -> None:
    lines = [b"city;temp;at", b"7;21,5;02.03.2026 10:00", b"7;21,5;13.03.2026 10:00"]
    decision = decide_with(OPEN_DATES, {"dates": "month-first"}, lines=lambda _: lines)
    assert (decision.layout.dates, decision.profile) == (DateOrder.DAY_FIRST, None)


def test_a_file_without_a_header_has_no_profile() -> None:
    decision = decide_with("7;21,5;02.03.2026 10:00\n", {"dates": "day-first"})
    assert (decision.header, decision.header_digest, decision.profile) == ("", "", None)
    assert [question.field for question in decision.questions] == ["dates"]


def test_the_wording_of_the_header_is_shown_and_tells_files_apart() -> None:
    decision = decide_layout(b"Model: X\nCity;Temp (F);At\n7;1;2026-01-31 10:00\n")
    same = decide_layout(b"city ; TEMP F; at\n7;1;2026-01-31 10:00\n")
    other = decide_layout(b"City;Temp (C);At\n7;1;2026-01-31 10:00\n")
    assert decision is not None
    assert same is not None
    assert other is not None
    assert decision.header == "City · Temp (F) · At"
    assert decision.header_digest == same.header_digest != other.header_digest


def test_what_all_lines_decide_stays_so_where_a_profile_answers_something_else() -> None:
    head = "city;temp;local time\n7;21,5;02.03.2026 10:00\n"
    lines = [*head.encode().split(b"\n"), b"7;21,5;13.03.2026 10:00"]
    decision = decide_with(head, {"zone": "+02:00"}, lines=lambda _: lines)
    assert decision.questions == ()
    assert (decision.layout.dates, decision.layout.zone_offset) == (DateOrder.DAY_FIRST, 120)


def test_a_profile_leaves_open_what_lines_far_below_leave_open() -> None:
    head = "city;temp;at;tz\n7;21,5;02.03.2026 10:00;+02:00\n"
    lines = [*head.encode().split(b"\n"), b"7;21,5;02.03.2026 10:00;+03:00"]
    decision = decide_with(head, {"dates": "day-first"}, lines=lambda _: lines)
    assert [question.field for question in decision.questions] == ["zone"]
