"""Decides how the tables of a group are read: first their columns, then units and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from timba.files.processors.base import FileRefused
from timba.files.questions import Question
from timba.tallies.answers import Answers
from timba.tallies.cells.grids import CellKind, Row
from timba.tallies.layout.decisions import USUAL_UNITS, decide_numbers, is_mostly_plausible
from timba.tallies.layout.field_columns import ColumnChoice, choose_columns
from timba.tallies.layout.groups import Group
from timba.tallies.layout.layouts import Layout
from timba.tallies.layout.left_out import data_columns, why_left_out
from timba.tallies.layout.measure_cells import read_quantity
from timba.tallies.layout.own_exports import is_own_csv, is_own_export
from timba.tallies.layout.style_decisions import decide_volume_style
from timba.tallies.layout.tables import Table
from timba.tallies.parsing import FIELDS
from timba.tallies.words.vocabulary import MEASURES, VOLUME


@dataclass(kw_only=True, slots=True)
class TableRows:
    """The rows of a table: those that are logs or rejects, and those left out, with the reason."""

    data: list[Row] = field(default_factory=list)
    left_out: list[tuple[str, Row]] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class GroupLayout:
    """The layouts of the tables of a group, their rows, and what is open."""

    group: Group
    layouts: list[Layout] = field(default_factory=list)
    rows: list[TableRows] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    used_profile: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether the rows of some tables are plausible in these units, those of others not."""
        names = [name for name in MEASURES if name not in self.group.answers.units]
        if not self.rows:
            return False
        return (
            len({_is_plausible(*each, names) for each in zip(self.layouts, self.rows, strict=True)})
            > 1
        )


def lay_out(group: Group, profile: Answers) -> GroupLayout:
    """Return the layout of a group, with what the profile answers.

    Raises MissingColumns, and FileRefused for a column of formulas without values.
    """
    choice = choose_columns(group)
    used = _apply_profile(group, choice, profile)
    result = GroupLayout(group=group, questions=choice.questions, used_profile=used)
    if choice.questions:
        result.layouts = [_layout(group, table, choice, {}) for table in group.tables]
        return result
    drafts = [_layout(group, table, choice, {}) for table in group.tables]
    result.rows = [_split(draft) for draft in drafts]
    _refuse_uncalculated(group, drafts, result.rows)
    cells = [
        tuple(draft.cell(row, name) for name in MEASURES)
        for draft, rows in zip(drafts, result.rows, strict=True)
        for row in rows.data
        if not row.line_error
    ]
    numbers = decide_numbers(group, choice.columns, cells, profile)
    result.questions += numbers.questions
    result.used_profile |= numbers.used_profile
    styles = dict(numbers.styles)
    if VOLUME in choice.columns:
        volumes = group.cells(choice.columns[VOLUME])
        styles[VOLUME] = decide_volume_style(numbers.styles, volumes)
    result.layouts = [
        _layout(
            group,
            table,
            choice,
            {"units": numbers.units, "styles": styles},
            evidence=numbers.evidence,
        )
        for table in group.tables
    ]
    return result


def _apply_profile(group: Group, choice: ColumnChoice, profile: Answers) -> bool:
    """Answer the questions about columns that a profile can answer."""
    still_open = []
    for question in choice.questions:
        name = question.field.rpartition(".")[2]
        if name not in profile.columns or profile.columns[name] not in question.choices:
            still_open.append(question)
            continue
        number = profile.columns[name]
        if number is None:
            choice.makes_barcodes = True
            choice.evidence[f"columns.{name}"] = "Barcodes are made, by the profile."
        else:
            choice.columns[name] = number - 1
            choice.evidence[f"columns.{name}"] = (
                f"{name.capitalize()} in column {group.name(number - 1)}, by the profile."
            )
    used = len(still_open) < len(choice.questions)
    choice.questions = still_open
    return used


def _layout(
    group: Group,
    table: Table,
    choice: ColumnChoice,
    numbers: Mapping[str, Mapping[str, object]],
    evidence: Mapping[str, str] | None = None,
) -> Layout:
    offset = group.offset(table)
    return Layout(
        table=table,
        columns={name: column + offset for name, column in choice.columns.items()},
        makes_barcodes=choice.makes_barcodes,
        has_escaped_barcodes=is_own_csv(table),
        is_own_export=is_own_export(table),
        evidence={**choice.evidence, **(evidence or {})},
        **numbers,  # type: ignore[arg-type]
    )


def _is_plausible(layout: Layout, rows: TableRows, names: Sequence[str]) -> bool:
    quantities = [
        tuple(read_quantity(layout.cell(row, name), layout.styles.get(name)) for name in MEASURES)
        for row in rows.data
    ]
    units = layout.units if len(layout.units) == len(MEASURES) else USUAL_UNITS
    return is_mostly_plausible(quantities, units, names)


def _split(layout: Layout) -> TableRows:
    rows = TableRows()
    columns = data_columns(layout)
    for row in layout.table.rows:
        if reason := why_left_out(layout, row, columns):
            rows.left_out.append((reason, row))
        else:
            rows.data.append(row)
    return rows


def _refuse_uncalculated(group: Group, layouts: list[Layout], rows: list[TableRows]) -> None:
    """Raise FileRefused for a column of which every cell is a formula without a value."""
    for name in FIELDS:
        cells = [
            cell
            for layout, each in zip(layouts, rows, strict=True)
            for row in each.data
            if (cell := layout.cell(row, name)) is not None
        ]
        if cells and all(
            cell.kind is CellKind.ERROR and cell.formula and not cell.value for cell in cells
        ):
            column = group.name(layouts[0].columns[name])
            raise FileRefused(
                f"The column {column} holds formulas without values. Open the sheet in a "
                "spreadsheet program, save it, and upload it again."
            )
