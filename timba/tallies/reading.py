"""Reads a tally sheet in three steps: its layout, what the layout leaves open, its rows.

`read_tally` runs in the sandbox, without a database: whether a log exists already is decided later,
in `processor.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from timba.files.headers import header_digest, header_wording
from timba.files.processors.base import FileRefused, ReadResult
from timba.files.processors.text_collector import TextCollector
from timba.files.questions import PROFILE_USED, Question, ask_encoding, encoding_by_header
from timba.files.text_encoding import UnknownEncoding
from timba.tallies.answers import Answers, parse_answers
from timba.tallies.cells.grids import Workbook, show_lines
from timba.tallies.cells.opening import open_workbook
from timba.tallies.layout.field_columns import MissingColumns
from timba.tallies.layout.group_layouts import GroupLayout, TableRows, lay_out
from timba.tallies.layout.groups import Group, group_tables
from timba.tallies.layout.layouts import Layout
from timba.tallies.layout.sheet_encoding import decide_by_header, decode_in_each
from timba.tallies.layout.table_search import FoundTables, find_tables
from timba.tallies.layout.tables import Table
from timba.tallies.parsing import ROWS, serialize_rows
from timba.tallies.reports import (
    count_reasons,
    count_sheets,
    describe_layouts,
    header_texts,
    show_head,
)
from timba.tallies.rows import RowReader
from timba.tallies.sheet_volumes import compare_rows, compare_totals, sum_up

NO_HEADER: Final = (
    "No row has the headers barcode, length, breadth and height. Name the columns so."
)


class TallySource(Protocol):
    """A tally sheet, and as a second input the answers to its questions and the profiles."""

    def open(self) -> BinaryIO: ...
    def open_extra(self) -> BinaryIO: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The answers that a client gave for earlier files with the same header."""

    id: int
    header_digest: str
    answers: Answers


def read_tally(source: TallySource) -> ReadResult:
    """Return how the sheet is read, its rows as the object ROWS, and its text.

    The rows are absent while questions are open; `deserialize_rows` restores them. Raises
    FileRefused for a file without a table of logs or with too many rows.
    """
    with source.open_extra() as stream:
        extra = json.loads(stream.read() or b"{}")
    answers = _check(extra.get("read_as"))
    profiles = [
        Profile(
            id=row["id"], header_digest=row["header_digest"], answers=parse_answers(row["read_as"])
        )
        for row in extra.get("profiles") or ()
    ]
    try:
        with source.open() as stream:
            workbook = open_workbook(stream, encoding=answers.encoding)
    except UnknownEncoding:
        return _read_in_unknown_encoding(source, answers, profiles)
    return _read_with_text(workbook, answers, profiles)


def _check(read_as: Mapping[str, Any] | None) -> Answers:
    try:
        return parse_answers(read_as)
    except ValueError as error:
        raise FileRefused(str(error)) from None


def _read_in_unknown_encoding(
    source: TallySource, answers: Answers, profiles: Sequence[Profile]
) -> ReadResult:
    """Read a CSV in the encoding that its header or a profile tells, or ask for it."""
    with source.open() as stream:
        decoded = decode_in_each(stream)
    if known := decide_by_header(decoded):
        result = _read_with_text(known.workbook, answers, profiles)
        evidence = result.findings["read_as"].setdefault("evidence", {})
        evidence["encoding"] = encoding_by_header(known.encoding)
        return result
    for each in decoded:
        profile = _find_profile(each.found.tables, profiles)
        if profile is not None and profile.answers.encoding == each.encoding:
            return _read_with_text(each.workbook, answers, profiles, used=profile)
    shown = decoded[0]
    layouts = [Layout(table=table, columns={}) for table in shown.found.tables]
    question = ask_encoding(each.encoding for each in decoded)
    findings = _findings(shown.found, layouts, shown.workbook, [question])
    findings["read_as"].pop("encoding", None)
    return ReadResult(findings=findings)


def _find_profile(tables: Sequence[Table], profiles: Sequence[Profile]) -> Profile | None:
    digest = header_digest(header_texts(tables))
    return next((each for each in profiles if each.header_digest == digest), None)


def _read_with_text(
    workbook: Workbook,
    answers: Answers,
    profiles: Sequence[Profile],
    *,
    used: Profile | None = None,
) -> ReadResult:
    """Read a workbook as `_read_workbook` does, and its cells that are not hidden as text."""
    result = _read_workbook(workbook, answers, profiles, used=used)
    text = TextCollector()
    for line in show_lines(workbook):
        text.add(f"{line}\n")
    return ReadResult(findings=result.findings, objects={**result.objects, **text.as_object()})


def _read_workbook(
    workbook: Workbook,
    answers: Answers,
    profiles: Sequence[Profile],
    *,
    used: Profile | None = None,
) -> ReadResult:
    """Read a workbook; `used` is a profile that has told its encoding."""
    found = find_tables(workbook)
    if not found.tables:
        raise FileRefused(_no_header(found))
    if len(answers.tables) > len(found.tables):
        raise FileRefused(
            f"The answers name {len(answers.tables)} tables; the file has {len(found.tables)}."
        )
    profile = used or _find_profile(found.tables, profiles)
    results, without = _lay_out_all(found, answers, profile)
    layouts = [layout for result in results for layout in result.layouts]
    layouts.sort(key=lambda layout: layout.table.number)
    questions = [question for result in results for question in result.questions]
    findings = _findings(found, layouts, workbook, questions)
    findings["warnings"] += without
    if profile is not None and (used or any(result.used_profile for result in results)):
        findings["profile"] = findings["read_as"]["profile"] = profile.id
        findings["warnings"].append(PROFILE_USED)
    if questions:
        return ReadResult(findings=findings)
    rows = {
        layout.table.number: rows
        for result in results
        for layout, rows in zip(result.layouts, result.rows, strict=True)
    }
    return _read_rows(found, layouts, rows, workbook, findings)


def _no_header(found: FoundTables) -> str:
    if found.hidden_sheets:
        names = ", ".join(f"“{name}”" for name in found.hidden_sheets)
        return f"Only hidden sheets hold logs: {names}. Show the sheet, then upload the file again."
    return NO_HEADER


def _lay_out_all(
    found: FoundTables, answers: Answers, profile: Profile | None
) -> tuple[list[GroupLayout], list[dict[str, Any]]]:
    """Return the layouts of all groups, and a warning for those that name too few columns.

    Raises FileRefused if no group names enough.
    """
    results: list[GroupLayout] = []
    missing: list[str] = []
    tables = 0
    for group in group_tables(found.tables, answers):
        try:
            results += _lay_out(group, profile)
        except MissingColumns as error:
            missing.append(str(error))
            tables += len(group.tables)
    if not results:
        raise FileRefused(missing[0])
    if not missing:
        return results, []
    sentence = f"Tables without the columns of logs were left out. {missing[0]}"
    return results, [{"code": "table_left_out", "sentence": sentence, "count": tables}]


def _lay_out(group: Group, profile: Profile | None) -> list[GroupLayout]:
    """Lay out a group with a profile, unless the sheet contradicts the profile.

    A table that is implausible in the units of the others is laid out alone.
    """
    result = lay_out(group, Answers())
    if result.questions and profile is not None:
        answered = lay_out(group, profile.answers.for_table(group.table.number))
        has_doubt = any(each.field.endswith("units") for each in answered.questions)
        if answered.used_profile and not has_doubt:
            result = answered
    if len(group.tables) > 1 and result.is_mixed:
        return [each for part in group.split() for each in _lay_out(part, profile)]
    return [result]


def _findings(
    found: FoundTables,
    layouts: Sequence[Layout],
    workbook: Workbook,
    questions: Sequence[Question],
) -> dict[str, Any]:
    """Return what is told of a file whether its rows are read or not."""
    warnings = []
    if found.other_sheets:
        names = ", ".join(f"“{name}”" for name in found.other_sheets)
        warnings.append(
            {
                "code": "sheet_without_header",
                "sentence": f"Sheets without the header of a tally were left out: {names}.",
                "count": len(found.other_sheets),
            }
        )
    return {
        "questions": [question.as_json() for question in questions],
        "head": show_head(layouts),
        "read_as": describe_layouts(layouts, workbook, table_count=len(found.tables)),
        "profile": None,
        "header": header_wording(header_texts(found.tables)),
        "header_digest": header_digest(header_texts(found.tables)),
        "left_out": count_reasons(found.left_out),
        "sheets": [],
        "sheet_volume": None,
        "warnings": warnings,
        "tables": [
            {"sheet": each.table.sheet, "grid": each.table.grid, "columns": dict(each.columns)}
            for each in layouts
        ],
        "made_barcodes": any(layout.makes_barcodes for layout in layouts),
    }


def _read_rows(
    found: FoundTables,
    layouts: Sequence[Layout],
    rows: Mapping[int, TableRows],
    workbook: Workbook,
    findings: dict[str, Any],
) -> ReadResult:
    """Read the rows of each table, which are given by its number."""
    reader = RowReader(is_csv=workbook.is_csv)
    for index, layout in enumerate(layouts):
        each = rows[layout.table.number]
        reader.read(layout, index, each.data, each.left_out)
    tables = [layout.table for layout in layouts]
    sheets = [table.sheet for table in tables]
    findings["left_out"] = count_reasons(Counter(found.left_out) + reader.left_out)
    findings["sheets"] = count_sheets(found.sheets, tables, reader.rows)
    findings["sheet_volume"] = sum_up(reader.volumes)
    findings["warnings"] += compare_rows(reader.rows.logs, sheets)
    findings["warnings"] += compare_totals(reader.volumes)
    return ReadResult(findings=findings, objects={ROWS: serialize_rows(reader.rows)})
