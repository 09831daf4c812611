"""Checks the answers to a tally's questions, and applies them to its tables.

An answer has the form of `read_as` in a file's result, so that a result can be sent back: what only
tells how a file was read is accepted and ignored. A pure module: the API checks with it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from timba.files.answers import (
    DECIMALS,
    ENCODINGS,
    MAX_QUOTED,
    BadAnswer,
    check_numbers,
    listed,
    one_of,
)
from timba.tallies.parsing import FIELDS
from timba.tallies.words.units import UNITS
from timba.tallies.words.vocabulary import BARCODE, MEASURES, PIECES, VOLUME

COLUMN_FIELDS: Final = (*FIELDS, VOLUME, PIECES)
_MAX_TABLES: Final = 1000
_ANSWERS: Final = ("columns", "units", "decimal")
_FILE_ANSWERS: Final = ("encoding", "tables")
_SHOWN_ONLY: Final = frozenset(("evidence", "profile", "sheet", "header_row", "delimiter"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Answers for a file or one of its tables; columns are numbers from 1.

    The column None of the barcode stands for barcodes that are to be made.
    """

    columns: Mapping[str, int | None] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    encoding: str | None = None
    tables: tuple[Answers, ...] = ()

    def own_of_table(self, number: int) -> Answers:
        """Return what is answered for one table, from 1, alone."""
        return self.tables[number - 1] if number <= len(self.tables) else Answers()

    def for_table(self, number: int) -> Answers:
        """Return the answers for a table: its own, and those for the file where it has none."""
        own = self.own_of_table(number)
        return Answers(
            columns={**self.columns, **own.columns},
            units={**self.units, **own.units},
            decimal=own.decimal or self.decimal,
        )


def check_answers(read_as: Any) -> dict[str, Any]:
    """Return the answers in `read_as` without what is only shown.

    Raises BadAnswer.
    """
    answers = _check_table(read_as, "read_as")
    if (encoding := read_as.get("encoding")) is not None:
        answers["encoding"] = one_of(encoding, ENCODINGS, "encoding")
    tables = read_as.get("tables")
    if tables is not None:
        if not isinstance(tables, list) or len(tables) > _MAX_TABLES:
            raise BadAnswer("“tables” is a list of answers, one for each table.")
        answers["tables"] = [
            _check_table(table, f"tables.{number}") for number, table in enumerate(tables, start=1)
        ]
    return answers


def parse_answers(read_as: Mapping[str, Any] | None) -> Answers:
    """Return checked answers, or stored ones of a profile, as a value."""
    answers = check_answers(dict(read_as or {}))
    return Answers(
        columns=answers.get("columns", {}),
        units=answers.get("units", {}),
        decimal=answers.get("decimal"),
        encoding=answers.get("encoding"),
        tables=tuple(parse_answers(table) for table in answers.get("tables", ())),
    )


def _check_table(read_as: Any, name: str) -> dict[str, Any]:
    prefix = "" if name == "read_as" else f"{name}."
    if not isinstance(read_as, Mapping):
        raise BadAnswer(f"“{name}” is an object such as {{“units”: {{“length”: “ft”}}}}.")
    known = {*_SHOWN_ONLY, *_ANSWERS, *(() if prefix else _FILE_ANSWERS)}
    if unknown := read_as.keys() - known:
        name = min(map(str, unknown))[:MAX_QUOTED]
        choices = "units or decimal" if prefix else "units, decimal, encoding or tables"
        raise BadAnswer(f"“{prefix}{name}” is no answer. Give columns, {choices}.")
    answers: dict[str, Any] = {}
    if (columns := read_as.get("columns")) is not None:
        answers["columns"] = _check_columns(columns, f"{prefix}columns")
    if (units := read_as.get("units")) is not None:
        answers["units"] = _check_units(units, f"{prefix}units")
    if (decimal := read_as.get("decimal")) is not None:
        answers["decimal"] = one_of(decimal, DECIMALS, f"{prefix}decimal")
    return answers


def _check_columns(columns: Any, name: str) -> dict[str, int | None]:
    if not isinstance(columns, Mapping):
        raise BadAnswer(f"“{name}” names columns by number, such as {{“length”: 2}}.")
    for key in columns:
        if key not in COLUMN_FIELDS:
            raise BadAnswer(
                f"“{name}.{key[:MAX_QUOTED]}” is no column. Name {listed(COLUMN_FIELDS)}."
            )
    numbers = {k: n for k, n in columns.items() if (k, n) != (BARCODE, None)}
    check_numbers(numbers, name)
    return dict(columns)


def _check_units(units: Any, name: str) -> dict[str, str]:
    if not isinstance(units, Mapping):
        raise BadAnswer(f"“{name}” names a unit for each measure, such as {{“length”: “ft”}}.")
    for measure, unit in units.items():
        if measure not in MEASURES:
            raise BadAnswer(
                f"“{name}.{measure[:MAX_QUOTED]}” is no measure. Name {listed(MEASURES)}."
            )
        one_of(unit, tuple(UNITS), f"{name}.{measure}")
    return dict(units)
