"""Drafts the layout of a temperature file from its head and from answers, with what is open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from timba.files.headers import header_digest
from timba.files.questions import Question
from timba.temperatures.layout.answers import CITY, TEMPERATURE, Answers
from timba.temperatures.layout.column_choice import column_name
from timba.temperatures.layout.column_texts import Lines
from timba.temperatures.layout.columns import choose_columns, city_names
from timba.temperatures.layout.date_orders import decide_dates
from timba.temperatures.layout.encodings import Head
from timba.temperatures.layout.layouts import PLAIN, PLAIN_FIELDS, Layout, Unit
from timba.temperatures.layout.tables import Table, find_table, has_reading
from timba.temperatures.layout.temperature_units import read_unit
from timba.temperatures.layout.two_row_headers import join_header_rows
from timba.temperatures.layout.units import decide_unit, has_unit_signs, is_plausible
from timba.temperatures.layout.zone_decisions import decide_zone
from timba.temperatures.lines.parsing import Reading, line_parser

NO_CITY: Final = "No column says of which city the readings are. Give the number of the city."


@dataclass(kw_only=True, slots=True)
class Draft:
    """A layout in the making, why so, and what is open.

    The fields `contradicted` are open although the file says something of them.
    """

    table: Table
    layout: Layout
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    contradicted: set[str] = field(default_factory=set)
    has_ignored_city: bool = False

    @property
    def digest(self) -> str:
        """The digest of the header, empty without one."""
        return header_digest([self.table.header]) if self.table.header else ""

    @property
    def is_plain(self) -> bool:
        """Whether it is the plain layout, of which nothing has to be told."""
        layout = self.layout
        is_utf8 = layout.encoding == PLAIN.encoding
        return layout.has_plain_lines and is_utf8 and layout.skipped_lines <= 1

    @property
    def is_of_temperatures(self) -> bool:
        """Whether the header names a temperature, or does not deny that there are any."""
        asked = {question.field for question in self.questions}
        is_asked = f"columns.{TEMPERATURE}" in asked
        return not (self.table.header_row and is_asked) or self.table.names(TEMPERATURE)

    def readings(self, count: int | None = None) -> list[Reading]:
        """Return the readings on so many first lines below the header, whatever their city."""
        parse = line_parser(self.layout.with_any_city())
        first = self.layout.skipped_lines
        rows = [row for row in self.table.rows if row.number > first]
        if count is not None:
            rows = [row for row in rows if row.number <= first + count]
        parsed = (parse(row.line.encode(errors="replace")) for row in rows)
        return [each for each in parsed if isinstance(each, Reading)]

    def is_mostly_plausible(self) -> bool:
        """Return whether more than half of the rows are readings that may be of a town."""
        likely = [
            each for each in self.readings() if is_plausible(each.hundredths / 100, Unit.CELSIUS)
        ]
        return 2 * len(likely) > len(self.table.rows)

    def add(self, name: str, evidence: str, question: Question | None) -> None:
        """Add why something is so, or the question for it."""
        if question is not None:
            self.questions.append(question)
        elif evidence:
            self.evidence[name] = evidence


def draft_head(head: Head, answers: Answers, lines: Lines | None = None) -> Draft | None:
    """Return the layout of a file whose first lines are decoded, or None without readings."""
    numbers = [number for number in answers.columns.values() if number is not None]
    table = find_table(head.lines, delimiter=answers.delimiter, columns=max(numbers, default=0))
    if table is None:
        return None
    table = join_header_rows(table)
    choice = choose_columns(table, answers)
    columns = choice.to_columns()
    used = (columns.city or 0, columns.temperature, columns.timestamp, columns.time or 0)
    width = max(table.width, max(used) + 1)
    layout = Layout(
        encoding=head.encoding,
        ends_with_cr=head.ends_with_cr,
        delimiter=table.delimiter,
        columns=columns,
        width=width,
        extra_fields=max(len(table.header) - width, 0),
        skipped_lines=table.header_row + _has_unit_row(table, columns.temperature),
    )
    draft = Draft(table=table, layout=layout, evidence=choice.evidence, questions=choice.questions)
    draft.layout = replace(draft.layout, quotes=_has_quotes(draft))
    _decide_decimal(draft, answers)
    _decide_city(draft, answers)
    _decide_meaning(draft, answers, lines)
    return draft


def _has_unit_row(table: Table, column: int) -> bool:
    """Return whether the row beneath the header gives units, not values."""
    if not table.header_row or not table.rows:
        return False
    text = table.text(table.rows[0], column)
    return read_unit(text) is not None and not any(map(str.isdigit, text))


def _has_quotes(draft: Draft) -> bool:
    """Return whether quotation marks are taken off.

    Where the lines have just the three fields, a few with quotes are bad lines of a plain file.
    """
    quoted = plain = 0
    for row in draft.table.rows:
        if '"' in row.line:
            quoted += has_reading(row.fields)
        else:
            plain += 1
    columns = draft.layout.columns
    is_of_three = draft.layout.width == len(PLAIN_FIELDS)
    if is_of_three and columns.city is not None and columns.time is None:
        return quoted > plain
    return quoted > 0


def _decide_decimal(draft: Draft, answers: Answers) -> None:
    if answers.decimal is not None:
        mark, source = answers.decimal, answers.source("decimal")
    else:
        column = draft.layout.columns.temperature
        texts = [draft.table.text(row, column) for row in draft.table.rows]
        commas = [text for text in texts if "," in text]
        points = sum("." in text for text in texts)
        if len(commas) <= points:
            return
        mark, source = ",", f"as in “{commas[0][:20]}”"
    draft.layout = replace(draft.layout, decimal=mark)
    draft.evidence["decimal"] = f"Decimals begin with “{mark}”, {source}."


def _decide_city(draft: Draft, answers: Answers) -> None:
    """Take the city that is given for a file without a column of cities, or ask for it."""
    if draft.layout.columns.city is not None:
        draft.has_ignored_city = answers.city_id is not None
        return
    names = city_names(draft.table)
    if names is not None and len(names[1]) > 1 and CITY not in answers.columns:
        column, texts = names
        sentence = (
            f"The column {column_name(draft.table, column)} names several cities, such as "
            f"“{texts[0][:40]}” and “{texts[1][:40]}”, but not by number. Which column has their "
            "numbers? Give its number; the first column is 1. If there is none, add it and upload "
            "the file again."
        )
        draft.questions.append(Question(field=f"columns.{CITY}", sentence=sentence))
    elif answers.city_id is not None:
        draft.layout = replace(draft.layout, city_id=answers.city_id)
        draft.evidence["city_id"] = f"All readings are of city {answers.city_id}, as given."
    else:
        draft.questions.append(Question(field="city_id", sentence=NO_CITY))


def _decide_meaning(draft: Draft, answers: Answers, lines: Lines | None) -> None:
    """Decide the unit, the order of dates and the zone."""
    table, columns = draft.table, draft.layout.columns
    unit_signs = has_unit_signs(table, columns.temperature)
    draft.layout = replace(draft.layout, unit_signs=unit_signs)
    unit = decide_unit(table, columns.temperature, answers, draft.layout, lines)
    draft.add("unit", unit.evidence, unit.question)
    draft.layout = replace(draft.layout, unit=unit.unit)
    dates = decide_dates(table, columns.timestamp, answers, draft.layout, lines)
    draft.add("dates", dates.evidence, dates.question)
    if dates.is_contradicted:
        draft.contradicted.add("dates")
    moments = [each for each in (columns.timestamp, columns.time) if each is not None]
    zone = decide_zone(table, moments, answers, draft.layout, lines)
    draft.add("zone", zone.evidence, zone.question)
    draft.layout = replace(
        draft.layout,
        dates=dates.order,
        two_digit_years=dates.two_digit_years,
        zone_offset=zone.offset,
    )
