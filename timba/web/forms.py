"""What the pages' forms hold; choices are only ever rows that the reader may see."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from timba.consignments.models import Consignment
from timba.errors import Invalid
from timba.files.models import File
from timba.notes.models import Note
from timba.notes.services import MAX_TITLE
from timba.temperatures.services import MAX_CITY_NAME
from timba.web.pages import Reader

FILE_STATES = (File.Status.SUCCESS, File.Status.PENDING, File.Status.FAILURE)
_LONGEST_SEARCH = 255


class NotesQuery(forms.Form):
    """What narrows the list of notes."""

    q = forms.CharField(required=False, max_length=_LONGEST_SEARCH)


class FilesQuery(forms.Form):
    """What narrows the list of files."""

    q = forms.CharField(required=False, max_length=_LONGEST_SEARCH)
    kind = forms.ChoiceField(required=False, choices=File.Kind.choices)
    status = forms.ChoiceField(required=False, choices=[(state, state) for state in FILE_STATES])


class ServiceForm(forms.Form):
    """A form whose service has the last word."""

    def refuse(self, refusal: Invalid) -> None:
        """Say the service's refusal beside the fields it is about."""
        for field, sentences in refusal.fields.items():
            self.add_error(field if field in self.fields else None, sentences)
        if not refusal.fields:
            self.add_error(None, str(refusal))


class CityNameForm(ServiceForm):
    """The name of a city."""

    name = forms.CharField(
        max_length=MAX_CITY_NAME, error_messages={"required": "A city needs a name."}
    )


class NoteForm(ServiceForm):
    """A note as it is written."""

    title = forms.CharField(
        max_length=MAX_TITLE,
        widget=forms.TextInput({"autofocus": True}),
        error_messages={"required": "A note needs a title."},
    )
    consignment_id = forms.ModelChoiceField(
        queryset=Consignment.objects.none(), required=False, empty_label="No consignment"
    )
    content = forms.CharField(required=False, strip=False, widget=forms.Textarea({"rows": 6}))

    def __init__(self, *args: Any, reader: Reader, note: Note | None = None, **kwargs: Any) -> None:
        if note is not None:
            kwargs["initial"] = {
                "title": note.title,
                "content": note.content,
                "consignment_id": note.consignment_id,
            }
        super().__init__(*args, **kwargs)
        client = note.client if note else reader.client
        choices = cast("forms.ModelChoiceField[Consignment]", self.fields["consignment_id"])
        choices.queryset = reader.rows(Consignment).filter(client=client).order_by("-id")

    @property
    def offers_consignments(self) -> bool:
        return len(self.fields["consignment_id"].choices) > 1  # type: ignore[attr-defined]
