"""Shows the first rows of a table with a question, so that a person can say what its columns are.

A pure module: it also serves in the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timba.files.columns import column_letters

# First rows of a table that are shown.
HEAD_ROWS: Final = 8
# Characters of a cell that are shown.
_MAX_SHOWN: Final = 60


def show_table(
    *,
    number: int,
    sheet: str,
    header_row: int | None,
    headers: Mapping[int, str],
    fields: Mapping[int, str],
    rows: Sequence[tuple[int, Sequence[str]]],
) -> dict[str, Any]:
    """Return the head of a table as a file's `asks` has it.

    `headers` has the text of each column that is shown, by its index from 0, `fields` what some of
    them are; `rows` are numbers from 1 with the texts of these columns.
    """
    return {
        "table": number,
        "sheet": sheet,
        "header_row": header_row,
        "columns": [
            {
                "number": index + 1,
                "letters": column_letters(index),
                "header": text[:_MAX_SHOWN],
                "field": fields.get(index),
            }
            for index, text in headers.items()
        ],
        "rows": [[row, [text[:_MAX_SHOWN] for text in texts]] for row, texts in rows],
    }
