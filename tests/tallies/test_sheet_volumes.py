"""The volumes that a sheet gives are compared with those of its logs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import Read, books, read
from tests.tallies.sheets import HEADER, workbook


def read_volumes(*volumes: Any, header: str = "Volume (m³)", total: Any = None) -> Read:
    """Read logs of 0.315 m³ each, beside which the sheet gives these volumes and a total."""
    rows: list[Any] = [
        (f"B-{number}", 4.2, 30, 25, volume) for number, volume in enumerate(volumes, start=1)
    ]
    if total is not None:
        rows.append(("Total", None, None, None, total))
    return read(workbook((*HEADER, header), *rows))


@pytest.mark.parametrize("header", ["Volume (m³)", "Volume", "Vol., m3", "Tilpums", "cbm"])
def test_the_volume_of_a_sheet_is_the_sum_of_its_rows(header: str) -> None:
    result = read_volumes(0.315, "0.32", 0.31, header=header)
    assert result.rows is not None
    assert [str(log.sheet_volume) for log in result.rows.logs] == ["0.315", "0.32", "0.31"]
    assert (result.findings["sheet_volume"], result.warnings) == (
        "0.945",
        {
            "volume_differs": (
                "The sheet gives other volumes than the measures do in rows 3 (0.32 m³, computed "
                "0.315 m³), 4 (0.31 m³, computed 0.315 m³)."
            )
        },
    )


@pytest.mark.parametrize(
    ("volume", "differs"), [(0.319, False), (0.320, True), (0.311, False), (0.310, True)]
)
def test_a_volume_may_differ_by_rounding(volume: float, *, differs: bool) -> None:
    assert ("volume_differs" in read_volumes(volume).warnings) is differs


def test_at_most_twenty_rows_are_named_and_all_are_counted() -> None:
    [warning] = read_volumes(*[0.4] * 25).findings["warnings"]
    assert warning["count"] == 25
    assert warning["sentence"].count("computed") == 20
    assert warning["sentence"].endswith("21 (0.4 m³, computed 0.315 m³) and 5 more.")


@pytest.mark.parametrize("header", ["Volume (ft³)", "Volume (bf)", "Volume (l)"])
def test_volumes_in_other_units_are_not_compared(header: str) -> None:
    result = read_volumes(11.1, 11.1, header=header, total=22.2)
    assert (result.findings["sheet_volume"], result.warnings) == (None, {})


def test_without_volumes_of_rows_the_total_is_the_volume_of_the_sheet() -> None:
    result = read_volumes(None, None, total=0.63)
    assert (result.findings["sheet_volume"], result.warnings) == ("0.630", {})


@pytest.mark.parametrize(
    ("volumes", "total"), [((0.315, 0.315), 0.7), ((None, None), 0.7), ((0.315, 0.315), "0.700")]
)
def test_a_total_that_is_not_the_sum_of_the_logs_is_told(
    volumes: tuple[Any, ...], total: Any
) -> None:
    result = read_volumes(*volumes, total=total)
    assert list(result.warnings) == ["total_differs"]
    assert result.warnings["total_differs"].endswith("m³, the sum of its logs 0.630 m³.")


def test_the_total_of_pages_may_stand_below_their_own() -> None:
    page = [("B-1", 4.2, 30, 25, 0.315), ("Total", None, None, None, 0.315)]
    other = [("B-2", 4.2, 30, 25, 0.315), ("Total", None, None, None, 0.315)]
    grand = ("Grand total", None, None, None, 0.63)
    for rows in ([*page, *other], [*page, *other, grand]):
        assert read(workbook((*HEADER, "Volume"), *rows)).warnings == {}


def test_rows_and_totals_of_several_sheets_are_told_by_their_sheets() -> None:
    header = (*HEADER, "Volume")
    one = [header, ("B-1", 4.2, 30, 25, 0.315), ("Total", None, None, None, 0.9)]
    two = [header, ("B-2", 4.2, 30, 25, 0.5)]
    result = read(books(One=one, Two=two))
    assert result.findings["sheet_volume"] == "0.815"
    assert result.warnings == {
        "volume_differs": (
            "The sheet gives other volumes than the measures do in row 2 of “Two” (0.5 m³, "
            "computed 0.315 m³)."
        ),
        "total_differs": "The total of “One” is 0.9 m³, the sum of its logs 0.315 m³.",
    }


def test_the_volume_of_a_rejected_row_belongs_to_the_total() -> None:
    rows = [("B-1", 4.2, 30, 25, 0.315), ("B-2", "x", 30, 25, 0.315), ("B-3", 4.2, 30, 25, 0.315)]
    total = ("Total", None, None, None, 0.945)
    assert read(workbook((*HEADER, "Volume"), *rows, total)).warnings == {}
