"""The forms of the pages but for logs, people and roles; choices are rows the user may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator, ModelChoiceIteratorValue
from django.http import QueryDict

from timba.consignments.models import MAX_CONSIGNMENT_NAME, MAX_VEHICLE_NUMBER, Consignment
from timba.errors import Conflict, Invalid, SeatsTaken
from timba.files.models import File
from timba.notes.models import MAX_TITLE, Note
from timba.places.models import MAX_CITY_NAME
from timba.web.pages import Viewer

T = TypeVar("T")
FILE_STATUSES: Final = (File.Status.SUCCESS, File.Status.PENDING, File.Status.FAILURE)
# A client may have more consignments than a page can offer.
MAX_LISTED_CONSIGNMENTS: Final = 200
MAX_SEARCH_LENGTH: Final = 255
_MAX_ID: Final = 2**63 - 1  # of a signed 64-bit column


class IdField(forms.IntegerField):
    """An id in a query; whether a row has that id is not checked."""

    def __init__(self) -> None:
        super().__init__(required=False, min_value=1, max_value=_MAX_ID)


class _NewestAndSelected(ModelChoiceIterator):  # type: ignore[type-arg]  # generic in its stubs only
    def __iter__(self) -> Iterator[tuple[ModelChoiceIteratorValue | str, str]]:
        field = cast("ConsignmentField", self.field)
        yield "", str(field.empty_label)
        listed = list(self.queryset[:MAX_LISTED_CONSIGNMENTS])
        if str(field.selected) not in {str(consignment.pk) for consignment in listed}:
            listed += field.find(field.selected)
        for consignment in listed:
            yield self.choice(consignment)


class ConsignmentField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Accepts any of the client's consignments; lists the newest and the selected one."""

    iterator = _NewestAndSelected
    selected: object = None

    def __init__(self) -> None:
        none = Consignment.objects.none()
        super().__init__(queryset=none, required=False, empty_label="No consignment")

    def set_choices(self, rows: QuerySet[Consignment], *, selected: object) -> None:
        self.selected = selected
        self.queryset = rows.order_by("-id")

    @property
    def has_choices(self) -> bool:
        return self.queryset is not None and self.queryset.exists()

    def find(self, value: Any) -> list[Consignment]:
        """Return the consignment with this id, in a list that is empty if there is none."""
        try:
            consignment = self.to_python(value)
        except ValidationError:
            return []
        return [] if consignment is None else [consignment]


class NotesQuery(forms.Form):
    """The filters of the list of notes."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH)
    consignment_id = IdField()


class ConsignmentsQuery(forms.Form):
    """The filters of the list of consignments."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH)
    type = forms.ChoiceField(required=False, choices=Consignment.Type.choices)


class TrashQuery(forms.Form):
    """The filter of the trash."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH)


class LogNumberQuery(forms.Form):
    """The number of a log within its consignment, for the first row of a page of logs."""

    number = IdField()


class FilesQuery(forms.Form):
    """The filters of the list of files."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH)
    kind = forms.ChoiceField(required=False, choices=File.Kind.choices)
    status = forms.ChoiceField(
        required=False, choices=[(status, status) for status in FILE_STATUSES]
    )
    consignment_id = IdField()


class PictureQuery(FilesQuery):
    """The page of a document to show, and the list that a file was opened from, with its filters.

    `in` is a keyword of Python: the list is `cleaned_data["in"]`.
    """

    page = IdField()

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields["in"] = forms.ChoiceField(
            required=False, choices=[(name, name) for name in ("consignment", "files")]
        )


class ServiceForm(forms.Form):
    """A form that shows the errors of its service; `status` is the HTTP status of its page then."""

    status = HTTPStatus.BAD_REQUEST

    def attempt(self, service: Callable[[], T], *, conflict_field: str | None = None) -> T | None:
        """Call the service; on an expected error add it to the form and return None.

        A Conflict is shown beside `conflict_field`, or for the form as a whole.
        """
        try:
            return service()
        except Invalid as error:
            self.add_invalid(error)
        except Conflict as error:
            self.add_error(conflict_field, str(error))
            self.status = HTTPStatus.CONFLICT
        except SeatsTaken as error:
            self.add_error(None, str(error))
            self.status = HTTPStatus.PAYMENT_REQUIRED
        return None

    def add_invalid(self, error: Invalid) -> None:
        """Show the service's sentences beside the fields they are about."""
        for field, sentences in error.fields.items():
            self.add_error(field if field in self.fields else None, sentences)
        if not error.fields:
            self.add_error(None, str(error))


class CityNameForm(ServiceForm):
    """The name of a city."""

    name = forms.CharField(
        max_length=MAX_CITY_NAME, error_messages={"required": "A city needs a name."}
    )


class NoteForm(ServiceForm):
    """A note, new or edited."""

    title = forms.CharField(
        max_length=MAX_TITLE,
        widget=forms.TextInput({"autofocus": True}),
        error_messages={"required": "A note needs a title."},
    )
    consignment_id = ConsignmentField()
    content = forms.CharField(required=False, strip=False, widget=forms.Textarea({"rows": 6}))

    def __init__(self, *args: Any, viewer: Viewer, note: Note | None = None, **kwargs: Any) -> None:
        if note is not None:
            kwargs["initial"] = {
                "title": note.title,
                "content": note.content,
                "consignment_id": note.consignment_id,
            }
        super().__init__(*args, **kwargs)
        client = note.client if note else viewer.client
        _set_choices(self["consignment_id"], viewer.rows(Consignment).filter(client=client))

    @property
    def has_consignments(self) -> bool:
        return cast("ConsignmentField", self.fields["consignment_id"]).has_choices


class FileLinkForm(forms.Form):
    """The consignment that a file belongs to."""

    consignment_id = ConsignmentField()

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, viewer: Viewer, file: File
    ) -> None:
        super().__init__(data, initial={"consignment_id": file.consignment_id})
        consignments = viewer.rows(Consignment).filter(client=file.client)
        _set_choices(self["consignment_id"], consignments)


def _set_choices(bound: forms.BoundField, rows: QuerySet[Consignment]) -> None:
    cast("ConsignmentField", bound.field).set_choices(rows, selected=bound.value())


class ConsignmentForm(ServiceForm):
    """A consignment, new or edited."""

    name = forms.CharField(
        max_length=MAX_CONSIGNMENT_NAME,
        widget=forms.TextInput({"autofocus": True, "autocomplete": "off"}),
        error_messages={"required": "A consignment needs a name."},
    )
    type = forms.ChoiceField(
        choices=[("", "Choose one"), *Consignment.Type.choices],
        error_messages={"required": "Say which it is, hardwood or pinewood."},
    )
    vehicle_number = forms.CharField(
        required=False,
        max_length=MAX_VEHICLE_NUMBER,
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    city_id = forms.IntegerField(
        required=False,
        widget=forms.TextInput({"inputmode": "numeric", "list": "cities", "autocomplete": "off"}),
        error_messages={"invalid": "A city is given by its number, such as 7."},
    )

    @classmethod
    def from_consignment(cls, consignment: Consignment) -> ConsignmentForm:
        """Return the form filled in from a consignment."""
        return cls(
            initial={
                "name": consignment.name,
                "type": consignment.type,
                "vehicle_number": consignment.vehicle_number,
                "city_id": consignment.city_id,
            }
        )
