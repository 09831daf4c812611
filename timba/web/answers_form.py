"""What the forms share with which a person says how a file is to be read.

Such a form shows the first rows of the file with its columns as Timba understands them; only what
the person changes, or what the file leaves open, is sent as an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.forms.boundfield import BoundField

from timba.files.models import File
from timba.web.forms import ServiceForm
from timba.web.read_as import ENCODINGS


@dataclass(frozen=True, kw_only=True, slots=True)
class TableChoices:
    """One table of the file: its first rows, and the bound fields of its columns and of the rest.

    A column is its letters, its header and its field.
    """

    title: str
    columns: Sequence[tuple[str, str, BoundField]]
    rows: Sequence[tuple[int, Sequence[str]]]
    fields: Sequence[BoundField] = ()
    makes_barcodes: BoundField | None = None


class AnswersForm(ServiceForm):
    """The columns of a file's tables and its encoding, filled in as they were understood."""

    column_fields: ClassVar[Mapping[str, str]]
    # The fields that apply to the file as a whole, in the order of the form.
    whole_file: ClassVar[tuple[str, ...]]
    title: ClassVar[str]
    hint: ClassVar[str]
    button: ClassVar[str]
    nothing_chosen: ClassVar[str]
    # Whether the answers are first tried in a dry run; None for kinds without dry runs.
    dry_run: ClassVar[bool | None] = None

    # The sentences of the form are shown, not those of the browser.
    use_required_attribute = False

    encoding = forms.ChoiceField(
        required=False, label="Letters are stored as", choices=[("", "Choose"), *ENCODINGS.items()]
    )

    def __init__(self, *args: Any, file: File, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        result = file.result or {}
        # An attempt that failed may have asked about what the standing result has decided.
        self._sends_all = file.status == File.Status.SUCCESS and bool(file.error)
        self.questions = {each["field"]: each for each in result.get("questions") or ()}
        self._understood: Mapping[str, Any] = result.get("read_as") or {}
        self._heads: Sequence[Mapping[str, Any]] = file.asks or ()
        if self._understood.get("encoding") not in ENCODINGS and "encoding" not in self.questions:
            del self.fields["encoding"]
        else:
            self.initial["encoding"] = self._understood.get("encoding") or ""
        for index, head in enumerate(self._heads):
            self._add_columns(index, head)

    @property
    def tables(self) -> Iterator[TableChoices]:
        raise NotImplementedError

    @property
    def file_fields(self) -> Iterator[BoundField]:
        """Yield the fields that apply to the file as a whole."""
        yield from (self[name] for name in self.whole_file if name in self.fields)

    @property
    def read_as(self) -> dict[str, Any]:
        """The answers: what differs from how the file was understood, and what it leaves open."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._check_columns()
        if not self.errors and not self.read_as:
            raise forms.ValidationError(self.nothing_chosen)
        return data

    def _check_columns(self) -> None:
        """Add an error, or raise ValidationError, where the chosen columns cannot be."""
        for index in range(len(self._heads)):
            chosen = [value for _, value in self._chosen_columns(index)]
            for field, label in self.column_fields.items():
                if chosen.count(field) > 1:
                    raise forms.ValidationError(
                        f"Two columns are chosen as the {label.lower()}. Choose one of them."
                    )

    def _add_columns(self, index: int, head: Mapping[str, Any]) -> None:
        for column in head["columns"]:
            name = f"{index}-column-{column['number']}"
            label = f"Column {column['letters']}"
            self.fields[name] = forms.ChoiceField(
                required=False, choices=[("", "not used"), *self.column_fields.items()], label=label
            )
            self.fields[name].widget.attrs["aria-label"] = label
            self.initial[name] = column["field"] if column["field"] in self.column_fields else ""

    def _columns(self, index: int) -> list[tuple[str, str, BoundField]]:
        """Return the columns of a table, as they are shown."""
        return [
            (column["letters"], column["header"], self[f"{index}-column-{column['number']}"])
            for column in self._heads[index]["columns"]
        ]

    def _chosen_columns(self, index: int) -> list[tuple[int, str]]:
        return [
            (column["number"], self.cleaned_data.get(f"{index}-column-{column['number']}", ""))
            for column in self._heads[index]["columns"]
        ]

    def _whole_file_answers(self) -> dict[str, Any]:
        """Return the values for the file as a whole that were asked for, or are changed."""
        return {
            name: self.cleaned_data[name]
            for name in self.whole_file
            if self.cleaned_data.get(name)
            and (self._sends_all or name in self.questions or self._is_changed(name))
        }

    def _is_changed(self, name: str) -> bool:
        """Return whether a choice differs from how the file was understood."""
        value = self.cleaned_data.get(name)
        return bool(value) and value != self.initial.get(name)
