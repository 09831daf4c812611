"""The form with which a person says how a tally sheet is to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django import forms

from timba.files.models import File
from timba.tallies.words.units import UNIT_WORDS
from timba.tallies.words.vocabulary import MEASURES
from timba.web.answers_form import AnswersForm, TableChoices
from timba.web.templatetags.formatting import read_tables

FIELDS: Final = {
    "barcode": "Barcode",
    "length": "Length",
    "breadth": "Breadth",
    "height": "Height",
}
DECIMALS: Final = {".": "the point, as in 4.25", ",": "the comma, as in 4,25"}


class TallyForm(AnswersForm):
    """The columns, units, decimal mark and encoding of a tally, filled in as it was understood."""

    column_fields = FIELDS
    whole_file = ("decimal", "encoding")
    title = "How is this sheet to be read?"
    hint = (
        "Nothing is recorded yet: you see first what would be added. Your answers are remembered "
        "for the next sheet with this header."
    )
    button = "Show what it would add"
    nothing_chosen = "Choose what the sheet leaves open first."
    dry_run = True

    decimal = forms.ChoiceField(
        required=False,
        label="Decimals are written with",
        choices=[("", "as the sheet shows"), *DECIMALS.items()],
    )

    def __init__(self, *args: Any, file: File, **kwargs: Any) -> None:
        super().__init__(*args, file=file, **kwargs)
        self._has_several_tables = "tables" in self._understood
        tables = read_tables(self._understood)
        for index, head in enumerate(self._heads):
            self._add_units(index, head, tables[head["table"] - 1].get("units") or {})
        if any(field.endswith(".decimal") for field in self.questions):
            del self.fields["decimal"]  # each table has its own
        else:
            self.initial["decimal"] = self._understood.get("decimal") or ""

    @property
    def tables(self) -> Iterator[TableChoices]:
        for index, head in enumerate(self._heads):
            names = [f"{index}-unit-{measure}" for measure in MEASURES]
            decimal, makes = f"{index}-decimal", f"{index}-makes-barcodes"
            names += [decimal] if decimal in self.fields else []
            yield TableChoices(
                title=head["sheet"] if self._has_several_tables else "",
                columns=self._columns(index),
                rows=head["rows"],
                fields=[self[name] for name in names],
                makes_barcodes=self[makes] if makes in self.fields else None,
            )

    @property
    def read_as(self) -> dict[str, Any]:
        answers = self._whole_file_answers()
        own = {head["table"]: self._table_answers(i) for i, head in enumerate(self._heads)}
        if not self._has_several_tables:
            return {**own.get(1, {}), **answers}
        tables = [own.get(number, {}) for number in range(1, max(own, default=0) + 1)]
        return {**answers, **({"tables": tables} if any(tables) else {})}

    def _add_units(self, index: int, head: Mapping[str, Any], units: Mapping[str, str]) -> None:
        for measure in MEASURES:
            name = f"{index}-unit-{measure}"
            self.fields[name] = forms.ChoiceField(
                required=False,
                choices=[("", "Choose"), *UNIT_WORDS.items()],
                label=f"{FIELDS[measure]} in",
            )
            self.initial[name] = units.get(measure) or ""
        if f"tables.{head['table']}.decimal" in self.questions:
            self.fields[f"{index}-decimal"] = forms.ChoiceField(
                required=False,
                label=self.fields["decimal"].label,
                choices=[("", "Choose"), *DECIMALS.items()],
            )
        if self._is_asked(index, "columns.barcode"):
            self.fields[f"{index}-makes-barcodes"] = forms.BooleanField(
                required=False, label="The logs have no barcodes: make them"
            )

    def _table_answers(self, index: int) -> dict[str, Any]:
        columns: dict[str, int | None] = {
            value: number
            for number, value in self._chosen_columns(index)
            if value
            and (
                self._is_asked(index, f"columns.{value}")
                or self._is_changed(f"{index}-column-{number}")
            )
        }
        if self.cleaned_data.get(f"{index}-makes-barcodes"):
            columns["barcode"] = None
        units = {
            measure: self.cleaned_data[f"{index}-unit-{measure}"]
            for measure in MEASURES
            if self.cleaned_data.get(f"{index}-unit-{measure}")
            and (
                self._is_asked(index, "units")
                or self._is_asked(index, f"units.{measure}")
                or self._is_changed(f"{index}-unit-{measure}")
            )
        }
        decimal = self.cleaned_data.get(f"{index}-decimal")
        answers = {"columns": columns, "units": units, "decimal": decimal}
        return {name: values for name, values in answers.items() if values}

    def _is_asked(self, index: int, field: str) -> bool:
        """Return whether a question about a field names this table, or all tables."""
        number = self._heads[index]["table"]
        return field in self.questions or f"tables.{number}.{field}" in self.questions
