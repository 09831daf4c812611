"""The tally sheet that came with one load of the demo company, two slips of the pen included."""

from __future__ import annotations

import io
import random
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.styles import Font

SHEET_NAME: Final = "forest tally AB-0183.xlsx"
SHEET_LOAD: Final = "AB-0183"
_ROWS: Final = 14
# By row, what was written instead of a thickness.
_SLIPS: Final = {5: None, 11: "31?"}
_HEADER: Final = ("Tag no.", "Length (m)", "Width (cm)", "Thickness (cm)")


def tally_sheet() -> bytes:
    """Return the workbook of a forest with its own columns, under a title of its own."""
    book = Workbook()
    page = book.worksheets[0]
    page.title = "Tally"
    page.append([f"Late logs of {SHEET_LOAD}, cut at Renda"])
    page.append([])
    page.append(_HEADER)
    for cell in (page["A1"], *page[3]):
        cell.font = Font(bold=True)
    for row in _rows():
        page.append(row)
    page.column_dimensions["A"].width = 18
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _rows() -> list[tuple[Any, ...]]:
    chance = random.Random(SHEET_NAME)  # noqa: S311 - measures need no secrets
    return [
        (
            f"RF-{4471 + number}",
            chance.choice((3.1, 2.8, 3.4)),
            chance.randint(56, 90) / 2,
            _SLIPS.get(number, chance.randint(56, 90) / 2),
        )
        for number in range(_ROWS)
    ]
