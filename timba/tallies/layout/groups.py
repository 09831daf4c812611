"""Groups the tables with the same header, which are read alike and asked about once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from timba.files.columns import column_letters
from timba.tallies.answers import Answers
from timba.tallies.cells.grids import Cell
from timba.tallies.layout.header_rows import HeaderColumn
from timba.tallies.layout.tables import Table


@dataclass(kw_only=True, slots=True)
class Group:
    """Tables with the same header; columns are those of the first one.

    `prefix` stands before the fields of its questions: empty if all tables are in one group.
    """

    tables: list[Table] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    prefix: str = ""

    @property
    def table(self) -> Table:
        return self.tables[0]

    def split(self) -> list[Group]:
        """Return a group for each table."""
        return [
            replace(self, tables=[table], prefix=f"tables.{table.number}.") for table in self.tables
        ]

    def offset(self, table: Table) -> int:
        """Return how far a table stands to the right of the first one."""
        return table.header.first - self.table.header.first

    def cells(self, column: int) -> Iterator[Cell]:
        """Yield the cells of a column, in all tables, that are not empty."""
        for table in self.tables:
            index = column + self.offset(table)
            for row in table.rows:
                if (cell := table.cell(row, index)) is not None:
                    yield cell

    def name(self, column: int) -> str:
        """Return the name of a column for people: B (“Length (m)”)."""
        header = self.table.columns.get(column)
        letters = column_letters(column)
        return f"{letters} (“{header.text}”)" if header else letters


def group_tables(tables: list[Table], answers: Answers) -> list[Group]:
    """Return the tables in groups of the same header, units and answers."""
    groups: dict[object, Group] = {}
    for table in tables:
        of_file = _within(answers, table) if len(tables) > 1 else answers
        units = tuple(sorted((m, unit) for m, (unit, _) in table.title_units.items()))
        first = table.header.first
        cells = tuple(sorted((i - first, text) for i, text in table.header.unit_cells.items()))
        key = (table.header.wording, units, cells, repr(answers.own_of_table(table.number)))
        group = groups.setdefault(key, Group(answers=of_file.for_table(table.number)))
        group.tables.append(table)
    if len(groups) > 1:
        for group in groups.values():
            group.prefix = f"tables.{group.table.number}."
    return list(groups.values())


def _within(answers: Answers, table: Table) -> Answers:
    """Return answers without the columns for all tables that this one does not reach."""
    columns = {
        name: number
        for name, number in answers.columns.items()
        if number is None or table.start < number <= table.width
    }
    return replace(answers, columns=columns)


def header_of(group: Group, column: int) -> HeaderColumn:
    """Return the header of a column; an empty one for a column without."""
    return header_of_column(group.table, column)


def header_of_column(table: Table, column: int) -> HeaderColumn:
    """Return the header of a table's column; an empty one for a column without."""
    return table.columns.get(column, HeaderColumn("", None))
