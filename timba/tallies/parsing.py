"""The rows of a tally sheet after reading: those that are logs, and those that are not.

They leave the sandbox as JSON, and are compared with the logs that exist in the worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from timba.tallies.words.vocabulary import BARCODE, MEASURES

# The fields that a log of a sheet has, and what errors of a whole row are named.
FIELDS: Final = (BARCODE, *MEASURES)
WHOLE_ROW: Final = "row"
# The name of the object with the rows in the result of `read_tally`.
ROWS: Final = "rows"
# All logs are added in one transaction, which others wait for.
MAX_ROWS: Final = 20_000
TOO_MANY: Final = f"It holds more than {MAX_ROWS:,} logs. Split it into several sheets."
# Characters of a rejected row that are stored.
MAX_TEXT: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetLog:
    """A row that is a log: the index of its table, its number in the sheet from 1, its values.

    Lengths are in metres, breadths and heights in centimetres, volumes in m³. A log without a
    barcode gets one that is made.
    """

    table: int
    row: int
    barcode: str | None
    measures: Mapping[str, Decimal]
    sheet_volume: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedRow:
    """A row that is not a log: a message for each bad field, and its text.

    A field is one of FIELDS or `pieces`, or WHOLE_ROW for what concerns no single cell.
    """

    table: int
    row: int
    errors: Mapping[str, str]
    text: str


@dataclass(kw_only=True, slots=True)
class ParsedRows:
    """The rows of all tables: those that are logs and those that are not."""

    logs: list[SheetLog] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)


def serialize_rows(rows: ParsedRows) -> bytes:
    """Return rows as JSON, each as an array: `logs` of seven items, `rejected` of four."""
    logs: list[list[Any]] = [
        [
            log.table,
            log.row,
            log.barcode,
            *(str(log.measures[name]) for name in MEASURES),
            None if log.sheet_volume is None else str(log.sheet_volume),
        ]
        for log in rows.logs
    ]
    rejected = [[row.table, row.row, dict(row.errors), row.text] for row in rows.rejected]
    return json.dumps({"logs": logs, "rejected": rejected}, separators=(",", ":")).encode()


def deserialize_rows(data: bytes) -> ParsedRows:
    """Return the rows that `serialize_rows` made JSON of."""
    rows = json.loads(data)
    return ParsedRows(
        logs=[
            SheetLog(
                table=table,
                row=row,
                barcode=barcode,
                measures=dict(zip(MEASURES, map(Decimal, measures), strict=True)),
                sheet_volume=None if volume is None else Decimal(volume),
            )
            for table, row, barcode, *measures, volume in rows["logs"]
        ],
        rejected=[
            RejectedRow(table=table, row=row, errors=errors, text=text)
            for table, row, errors, text in rows["rejected"]
        ],
    )


def format_row(values: Iterable[Any]) -> str:
    """Return the values of a row, separated by commas, as the text of a reject."""
    return ", ".join(map(str, values))[:MAX_TEXT]
