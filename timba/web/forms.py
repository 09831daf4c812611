"""What the pages' forms hold; choices are only ever rows that the reader may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from django import forms
from django.db.models import QuerySet

from timba.accounts.authorization import permissions_of
from timba.accounts.models import (
    MAX_ADDRESS,
    MAX_CONTACT,
    MAX_NAME,
    MAX_PASSWORD,
    MAX_ROLE_NAME,
    MAX_USERNAME,
    Client,
    Role,
    User,
)
from timba.accounts.permissions import Permission
from timba.consignments.measures import MAX_BARCODE
from timba.consignments.models import MAX_CONSIGNMENT_NAME, MAX_VEHICLE_NUMBER, Consignment, Log
from timba.errors import Conflict, Invalid, SeatsTaken
from timba.files.models import File
from timba.notes.models import MAX_TITLE, Note
from timba.places.models import MAX_CITY_NAME
from timba.web.choices import ConsignmentField
from timba.web.pages import Viewer
from timba.web.templatetags.formatting import measure

T = TypeVar("T")
FILE_STATES = (File.Status.SUCCESS, File.Status.PENDING, File.Status.FAILURE)
_LONGEST_SEARCH = 255
_LONGEST_MEASURE = 20
_GREATEST_ID = 2**63 - 1


class IdField(forms.IntegerField):
    """An id in a query; it may name nothing."""

    def __init__(self) -> None:
        super().__init__(required=False, min_value=1, max_value=_GREATEST_ID)


class NotesQuery(forms.Form):
    """What narrows the list of notes."""

    q = forms.CharField(required=False, max_length=_LONGEST_SEARCH)
    consignment_id = IdField()


class ConsignmentsQuery(forms.Form):
    """What narrows the list of consignments, and from where on it is shown."""

    q = forms.CharField(required=False, max_length=_LONGEST_SEARCH)
    type = forms.ChoiceField(required=False, choices=Consignment.Type.choices)
    before = IdField()


class LogsQuery(forms.Form):
    """From where on a consignment's logs are shown, and which number the first of them has."""

    before = IdField()
    number = IdField()


class FilesQuery(forms.Form):
    """What narrows the list of files."""

    q = forms.CharField(required=False, max_length=_LONGEST_SEARCH)
    kind = forms.ChoiceField(required=False, choices=File.Kind.choices)
    status = forms.ChoiceField(required=False, choices=[(state, state) for state in FILE_STATES])
    consignment_id = IdField()


class ServiceForm(forms.Form):
    """A form whose service has the last word; `status` is what its page is answered with then."""

    status = HTTPStatus.BAD_REQUEST

    def attempt(self, act: Callable[[], T], *, clash: str | None = None) -> T | None:
        """Do what the form was sent for; None where that is refused, which the form then says.

        `clash` is the field that is wrong when something there is already in the way.
        """
        try:
            return act()
        except Invalid as refusal:
            self.refuse(refusal)
        except Conflict as refusal:
            self.add_error(clash, str(refusal))
            self.status = HTTPStatus.CONFLICT
        except SeatsTaken as refusal:
            self.add_error(None, str(refusal))
            self.status = HTTPStatus.PAYMENT_REQUIRED
        return None

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
    consignment_id = ConsignmentField()
    content = forms.CharField(required=False, strip=False, widget=forms.Textarea({"rows": 6}))

    def __init__(self, *args: Any, reader: Viewer, note: Note | None = None, **kwargs: Any) -> None:
        if note is not None:
            kwargs["initial"] = {
                "title": note.title,
                "content": note.content,
                "consignment_id": note.consignment_id,
            }
        super().__init__(*args, **kwargs)
        client = note.client if note else reader.client
        _choose_from(reader.rows(Consignment).filter(client=client), self["consignment_id"])

    @property
    def offers_consignments(self) -> bool:
        return cast("ConsignmentField", self.fields["consignment_id"]).has_any


class PlaceForm(forms.Form):
    """The consignment that a file belongs to."""

    consignment_id = ConsignmentField()

    def __init__(
        self, said: Mapping[str, Any] | None = None, *, reader: Viewer, file: File
    ) -> None:
        super().__init__(said, initial={"consignment_id": file.consignment_id})
        _choose_from(reader.rows(Consignment).filter(client=file.client), self["consignment_id"])


def _choose_from(rows: QuerySet[Consignment], box: forms.BoundField) -> None:
    cast("ConsignmentField", box.field).choose_from(rows, chosen=box.value())


class ConsignmentForm(ServiceForm):
    """A consignment as the gate writes it down."""

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
        error_messages={"invalid": "A city is told by its number, such as 7."},
    )

    @classmethod
    def of(cls, consignment: Consignment) -> ConsignmentForm:
        """Return the form filled with a consignment's facts."""
        return cls(
            initial={
                "name": consignment.name,
                "type": consignment.type,
                "vehicle_number": consignment.vehicle_number,
                "city_id": consignment.city_id,
            }
        )


class MeasureField(forms.DecimalField):
    """A measure as people type it, with a point or a comma; its limits are the service's."""

    def __init__(self, *, label: str) -> None:
        said = f"Give the {label.split(',', maxsplit=1)[0].lower()} as a number, such as 4.20."
        super().__init__(
            label=label,
            widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
            error_messages={"required": said, "invalid": said},
        )

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # the stubs err
        typed = str(value or "").strip()
        if len(typed) > _LONGEST_MEASURE:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(typed.replace(",", "."))


class LogForm(ServiceForm):
    """A log as it is measured."""

    # What is missing the page says itself: Enter goes on to it.
    use_required_attribute = False
    MEASURES: Final = ("length", "breadth", "height")

    barcode = forms.CharField(
        required=False,
        max_length=MAX_BARCODE,
        widget=forms.TextInput(
            {"placeholder": "made for you", "autocomplete": "off", "autocapitalize": "characters"}
        ),
    )
    length = MeasureField(label="Length, m")
    breadth = MeasureField(label="Breadth, cm")
    height = MeasureField(label="Height, cm")

    def __init__(self, *args: Any, form_id: str = "", **kwargs: Any) -> None:
        """Make the form; in a table its boxes lie outside the element of that id, and say so."""
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label or "Barcode"
            if form_id:
                field.widget.attrs["form"] = form_id

    @classmethod
    def of(cls, log: Log, said: Mapping[str, Any] | None = None) -> LogForm:
        """Return the form filled with a log's measures, or with what was said of it."""
        initial = {"barcode": log.barcode, **_measures(log)}
        box = f"log-{log.pk}"
        return cls(said, initial=initial, auto_id=f"{box}-%s", form_id=f"{box}-form")

    @classmethod
    def like(cls, log: Log | None, *, form_id: str = "") -> LogForm:
        """Return the form for the next log: the last one's measures are offered again."""
        return cls(initial=_measures(log) if log else {}, form_id=form_id)


def _measures(log: Log) -> dict[str, str]:
    return {
        name: measure(getattr(log, name), 2 if name == "length" else 1) for name in LogForm.MEASURES
    }


class OwnForm(ServiceForm):
    """What everyone may change about themselves."""

    name = forms.CharField(
        max_length=MAX_NAME,
        widget=forms.TextInput({"autocomplete": "name"}),
        error_messages={"required": "A person needs a name."},
    )
    contact = forms.CharField(
        required=False, max_length=MAX_CONTACT, widget=forms.TextInput({"autocomplete": "off"})
    )
    address = forms.CharField(
        required=False, max_length=MAX_ADDRESS, widget=forms.TextInput({"autocomplete": "off"})
    )

    @property
    def changes(self) -> dict[str, Any]:
        """What was said otherwise than it was."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class PersonForm(OwnForm):
    """A colleague, with a role that whoever fills it in may give."""

    username = forms.CharField(
        max_length=MAX_USERNAME,
        strip=False,
        widget=forms.TextInput(
            {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
        error_messages={"required": "A person needs a username to sign in with."},
    )
    role = forms.ModelChoiceField(
        queryset=Role.objects.none(),
        empty_label="Choose one",
        error_messages={
            "required": "Give a role.",
            "invalid_choice": "Choose one of the roles that are offered.",
        },
    )

    def __init__(self, *args: Any, actor: User, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = kwargs.get("initial", {}).get("role")
        roles = Role.unscoped.assignable_in(client)
        offered = [role.pk for role in roles if role.pk == held or _may_give(actor, role)]
        choices = cast("forms.ModelChoiceField[Role]", self.fields["role"])
        choices.queryset = roles.filter(pk__in=offered)


class NewPersonForm(PersonForm):
    """A new colleague; without a password they cannot sign in yet."""

    password = forms.CharField(
        required=False,
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )


class ChangedPersonForm(PersonForm):
    """A colleague who is there already."""

    is_active = forms.BooleanField(required=False)

    @classmethod
    def of(
        cls, user: User, said: Mapping[str, Any] | None = None, *, actor: User, client: Client
    ) -> ChangedPersonForm:
        names = ("name", "username", "contact", "address", "is_active")
        initial = {**{name: getattr(user, name) for name in names}, "role": user.role_id}
        return cls(said, initial=initial, actor=actor, client=client)


class PasswordForm(ServiceForm):
    """A new password for a colleague."""

    password = forms.CharField(
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        error_messages={"required": "Type the new password."},
    )


class OwnPasswordForm(PasswordForm):
    """A new password of one's own."""

    current_password = forms.CharField(
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
        error_messages={"required": "Type the password that you have now."},
    )


class RoleForm(ServiceForm):
    """A role of the client's own, with permissions that whoever fills it in has."""

    name = forms.CharField(
        max_length=MAX_ROLE_NAME,
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "A role needs a name."},
    )
    permissions = forms.MultipleChoiceField(
        required=False, choices=Permission.choices, widget=forms.CheckboxSelectMultiple
    )

    @classmethod
    def of(cls, role: Role, said: Mapping[str, Any] | None = None) -> RoleForm:
        """Return the form filled with a role, or with what was said of it."""
        return cls(said, initial={"name": role.name, "permissions": role.permissions})


def _may_give(actor: User, role: Role) -> bool:
    if role.is_owner and not (actor.is_staff or actor.is_owner):
        return False
    return set(role.permissions) <= permissions_of(actor)
