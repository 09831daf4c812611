"""Groups the tables with the same header, which are read alike and asked about once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from timba.tallies.answers import Answers
from timba.tallies.cells.columns import column_letters
from timba.tallies.cells.grids import Cell, Row
from timba.tallies.layout.header_rows import HeaderColumn
from timba.tallies.layout.tables import Table


@dataclass(kw_only=True, slots=True)
class Group:
    """Tables with the same header, by index; columns are those of the first one.

    `prefix` stands before the fields of its questions: empty if all tables are in one group.
    """

    tables: list[Table] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    prefix: str = ""

    @property
    def table(self) -> Table:
        return self.tables[0]

    def split(self) -> list[Group]:
        """Return a group for each table."""
        return [
            replace(self, tables=[table], indexes=[index], prefix=f"tables.{index + 1}.")
            for table, index in zip(self.tables, self.indexes, strict=True)
        ]

    def offset(self, table: Table) -> int:
        """Return how far a table stands to the right of the first one."""
        return table.header.first - self.table.header.first

    def rows(self) -> Iterator[tuple[Table, Row]]:
        for table in self.tables:
            for row in table.rows:
                if not row.line_error:
                    yield table, row

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

    @property
    def width(self) -> int:
        """The number of columns that the first table can have."""
        cells = (len(row.cells) for row in self.table.rows)
        return min(self.table.end, max(cells, default=0, key=int) or self.table.header.last + 1)


def group_tables(tables: list[Table], answers: Answers) -> list[Group]:
    """Return the tables in groups of the same header, units and answers."""
    groups: dict[object, Group] = {}
    for index, table in enumerate(tables):
        own = answers.for_table(index)
        if len(tables) > 1:
            own = _within(own, table)
        units = tuple(sorted((m, unit) for m, (unit, _) in table.title_units.items()))
        first = table.header.first
        cells = tuple(sorted((i - first, text) for i, text in table.header.unit_cells.items()))
        explicit = repr(answers.tables[index]) if index < len(answers.tables) else ""
        key = (table.header.wording, units, cells, explicit)
        group = groups.setdefault(key, Group(answers=own))
        group.tables.append(table)
        group.indexes.append(index)
    if len(groups) > 1:
        for group in groups.values():
            group.prefix = f"tables.{group.indexes[0] + 1}."
    return list(groups.values())


def _within(answers: Answers, table: Table) -> Answers:
    """Return answers for all tables without the columns that this one does not reach."""
    columns = {
        name: number
        for name, number in answers.columns.items()
        if number is None or table.start < number <= table.end
    }
    return replace(answers, columns=columns)


def header_of(group: Group, column: int) -> HeaderColumn:
    """Return the header of a column; an empty one for a column without."""
    return header_of_column(group.table, column)


def header_of_column(table: Table, column: int) -> HeaderColumn:
    """Return the header of a table's column; an empty one for a column without."""
    return table.columns.get(column, HeaderColumn("", None))
