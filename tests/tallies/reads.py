"""Reads sheets as the sandbox does, and picks out of the result what a test is about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest

from tests.files.samples import MemorySource
from tests.tallies.sheets import save
from timba.files.processors.base import FileRefused
from timba.tallies.parsing import ROWS, ParsedRows, deserialize_rows
from timba.tallies.reading import read_tally


@dataclass(frozen=True)
class Read:
    """The result of a reader, with its rows if it has read them."""

    findings: Mapping[str, Any]
    rows: ParsedRows | None

    @property
    def logs(self) -> list[tuple[str | None, ...]]:
        """The barcode and the measures of each log, as text."""
        assert self.rows is not None, self.findings["questions"]
        return [(log.barcode, *map(str, log.measures.values())) for log in self.rows.logs]

    @property
    def rejects(self) -> dict[int, dict[str, str]]:
        """The messages of rejected rows, by row."""
        assert self.rows is not None, self.findings["questions"]
        return {row.row: dict(row.errors) for row in self.rows.rejected}

    @property
    def questions(self) -> dict[str, list[Any]]:
        """The choices of each question, by field."""
        return {each["field"]: each["choices"] for each in self.findings["questions"]}

    @property
    def sentences(self) -> list[str]:
        return [each["sentence"] for each in self.findings["questions"]]

    @property
    def left_out(self) -> dict[str, int]:
        return {each["reason"]: each["count"] for each in self.findings["left_out"]}

    @property
    def units(self) -> dict[str, str]:
        return dict(self.findings["read_as"]["units"])

    @property
    def evidence(self) -> dict[str, str]:
        return dict(self.findings["read_as"]["evidence"])

    @property
    def warnings(self) -> dict[str, str]:
        return {each["code"]: each["sentence"] for each in self.findings["warnings"]}


def read(
    content: bytes | str,
    *,
    read_as: Mapping[str, Any] | None = None,
    profiles: Sequence[Mapping[str, Any]] = (),
) -> Read:
    """Read a sheet with answers and import profiles."""
    data = content.encode() if isinstance(content, str) else content
    extra = json.dumps({"read_as": read_as, "profiles": list(profiles)}).encode()
    result = read_tally(MemorySource(data, extra))
    packed = result.objects.get(ROWS)
    return Read(result.findings, None if packed is None else deserialize_rows(packed))


def refusal(content: bytes | str, **options: Any) -> str:
    """Return the sentence with which a sheet is refused."""
    with pytest.raises(FileRefused) as refused:
        read(content, **options)
    return str(refused.value)


def book(**sheets: Sequence[Sequence[Any]]) -> openpyxl.Workbook:
    """Return a workbook with these sheets."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return workbook


def books(**sheets: Sequence[Sequence[Any]]) -> bytes:
    """Return the bytes of a workbook with these sheets."""
    return save(book(**sheets))
