"""What Timba exports, it reads back: the same barcodes and measures, and nothing left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest

from tests.tallies.sheets import BytesSource
from timba.tallies.exporting.spreadsheets import write_csv, write_xlsx
from timba.tallies.exporting.tally import Tally, TallyLog
from timba.tallies.parsing import ROWS, deserialize_rows
from timba.tallies.reading import read_tally

Write = Callable[..., None]
FORMS = pytest.mark.parametrize(
    "write", [write_csv, partial(write_csv, decimal=","), write_xlsx], ids=["csv", "comma", "xlsx"]
)
AT = datetime(2026, 3, 2, tzinfo=UTC)
BARCODES = [
    *("00042", "1E5", "1-2", "TRUE", "=1+1", "@SUM(1)", "'=1", "''7", "'t Woud", "a;b,c", 'a"b"'),
    *("Total", "Summe 2", "Subtotal: 3", "Average", "Carried forward", "Barcode", "m", "1", "2"),
]
MEASURES = [
    ("0.100", "0.500", "300.000"),
    ("40.000", "30.500", "25.001"),
    ("4.200", "30.000", "7.000"),
]


def read_back(write: Write, logs: list[TallyLog]) -> tuple[dict[str, object], list[TallyLog]]:
    tally = Tally(
        client="SIA", name="Lorry", type="hardwood", vehicle_number="", city="",
        opened_at=AT, exported_at=AT, logs=logs,
    )  # fmt: skip
    out = io.BytesIO()
    write(tally, out)
    result = read_tally(BytesSource(out.getvalue()))
    rows = deserialize_rows(result.objects[ROWS])
    assert rows.rejected == []
    read = [
        TallyLog(
            log.barcode or "", *(log.measures[name] for name in TallyLog._fields[1:4]), each.volume
        )
        for log, each in zip(rows.logs, logs, strict=True)
    ]
    return dict(result.findings), read


@FORMS
def test_barcodes_and_measures_are_read_back_exactly(write: Write) -> None:
    logs = [
        TallyLog(barcode, *map(Decimal, MEASURES[number % len(MEASURES)]), Decimal("0.1"))
        for number, barcode in enumerate(BARCODES)
    ]
    findings, read = read_back(write, logs)
    assert read == logs
    assert findings["questions"] == []


@FORMS
def test_a_single_log_leaves_nothing_open(write: Write) -> None:
    log = TallyLog("7", Decimal("4.230"), Decimal("30.500"), Decimal("25.000"), Decimal("0.323"))
    findings, read = read_back(write, [log])
    assert (findings["questions"], read) == ([], [log])


def test_a_total_that_someone_has_added_is_left_out() -> None:
    content = "barcode,length,breadth,height,volume\r\nA,4.2,30,25,0.315\r\nTotal,,,,0.315\r\n"
    result = read_tally(BytesSource(content.encode()))
    assert len(deserialize_rows(result.objects[ROWS]).logs) == 1
    assert result.findings["left_out"] == [{"reason": "total", "count": 1}]
