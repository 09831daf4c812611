"""The form with which a person says how a tally sheet is to be read.

It shows the sheet's first rows with the columns, units and numbers as Timba understands them; only
what the person changes, or what the sheet leaves open, is sent as an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField

from timba.files.models import File
from timba.tallies.words.units import UNIT_WORDS
from timba.tallies.words.vocabulary import MEASURES
from timba.web.forms import ServiceForm
from timba.web.templatetags.formatting import read_tables

FIELDS: Final = {
    "barcode": "Barcode",
    "length": "Length",
    "breadth": "Breadth",
    "height": "Height",
}
DECIMALS: Final = {".": "the point, as in 4.25", ",": "the comma, as in 4,25"}
ENCODINGS: Final = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16-le": "Unicode (UTF-16, little-endian)",
    "utf-16-be": "Unicode (UTF-16, big-endian)",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp1252": "Western European (Windows-1252)",
    "cp1257": "Baltic (Windows-1257)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableChoices:
    """One table of the sheet: its first rows, and the bound fields of its columns and units."""

    title: str
    columns: Sequence[tuple[Mapping[str, Any], BoundField]]
    units: Sequence[BoundField]
    decimal: BoundField | None
    makes_barcodes: BoundField | None
    rows: Sequence[tuple[int, Sequence[str]]]


class ReadingForm(ServiceForm):
    """The columns, units, decimal mark and encoding of a tally, filled in as it was understood."""

    decimal = forms.ChoiceField(
        required=False,
        label="Decimals are written with",
        choices=[("", "as the sheet shows"), *DECIMALS.items()],
    )
    encoding = forms.ChoiceField(
        required=False, label="Letters are stored as", choices=[("", "Choose"), *ENCODINGS.items()]
    )

    def __init__(self, *args: Any, file: File, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        result = file.result or {}
        self.asked = {question["field"] for question in result.get("questions") or ()}
        self._heads: Sequence[Mapping[str, Any]] = file.asks or ()
        read_as = result.get("read_as") or {}
        self._has_several_tables = "tables" in read_as
        tables = read_tables(read_as)
        for index, head in enumerate(self._heads):
            self._add_table(index, head, tables[head["table"] - 1].get("units") or {})
        if any(field.endswith(".decimal") for field in self.asked):
            del self.fields["decimal"]  # each table has its own
        else:
            self.initial["decimal"] = read_as.get("decimal") or ""
        if read_as.get("encoding") not in ENCODINGS and "encoding" not in self.asked:
            del self.fields["encoding"]
        else:
            self.initial["encoding"] = read_as.get("encoding") or ""

    @property
    def tables(self) -> Iterator[TableChoices]:
        for index, head in enumerate(self._heads):
            decimal, makes = f"{index}-decimal", f"{index}-makes-barcodes"
            yield TableChoices(
                title=head["sheet"] if self._has_several_tables else "",
                columns=[
                    (column, self[f"{index}-column-{column['number']}"])
                    for column in head["columns"]
                ],
                units=[self[f"{index}-unit-{measure}"] for measure in MEASURES],
                decimal=self[decimal] if decimal in self.fields else None,
                makes_barcodes=self[makes] if makes in self.fields else None,
                rows=head["rows"],
            )

    @property
    def read_as(self) -> dict[str, Any]:
        """The answers: what differs from how the sheet was understood, and what it leaves open."""
        answers: dict[str, Any] = {
            name: self.cleaned_data[name]
            for name in ("decimal", "encoding")
            if self.cleaned_data.get(name) and (name in self.asked or self._is_changed(name))
        }
        own = {head["table"]: self._table_answers(i) for i, head in enumerate(self._heads)}
        if not self._has_several_tables:
            return {**own.get(1, {}), **answers}
        tables = [own.get(number, {}) for number in range(1, max(own, default=0) + 1)]
        return {**answers, **({"tables": tables} if any(tables) else {})}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for index in range(len(self._heads)):
            chosen = [value for _, value in self._chosen_columns(index)]
            for field, label in FIELDS.items():
                if chosen.count(field) > 1:
                    raise forms.ValidationError(
                        f"Two columns are chosen as the {label.lower()}. Choose one of them."
                    )
        if not self.errors and not self.read_as:
            raise forms.ValidationError("Choose what the sheet leaves open first.")
        return data

    def _add_table(self, index: int, head: Mapping[str, Any], units: Mapping[str, str]) -> None:
        for column in head["columns"]:
            name = f"{index}-column-{column['number']}"
            label = f"Column {column['letters']}"
            self.fields[name] = forms.ChoiceField(
                required=False, choices=[("", "not used"), *FIELDS.items()], label=label
            )
            self.fields[name].widget.attrs["aria-label"] = label
            self.initial[name] = column["field"] if column["field"] in FIELDS else ""
        for measure in MEASURES:
            name = f"{index}-unit-{measure}"
            self.fields[name] = forms.ChoiceField(
                required=False,
                choices=[("", "Choose"), *UNIT_WORDS.items()],
                label=f"{FIELDS[measure]} in",
            )
            self.initial[name] = units.get(measure) or ""
        if f"tables.{head['table']}.decimal" in self.asked:
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

    def _chosen_columns(self, index: int) -> list[tuple[int, str]]:
        return [
            (column["number"], self.cleaned_data.get(f"{index}-column-{column['number']}", ""))
            for column in self._heads[index]["columns"]
        ]

    def _is_changed(self, name: str) -> bool:
        """Return whether a choice differs from how the sheet was understood."""
        value = self.cleaned_data.get(name)
        return bool(value) and value != self.initial.get(name)

    def _is_asked(self, index: int, field: str) -> bool:
        """Return whether a question about a field names this table, or all tables."""
        number = self._heads[index]["table"]
        return field in self.asked or f"tables.{number}.{field}" in self.asked
