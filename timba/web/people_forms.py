"""The forms of sign-in, people, roles, passwords, one's own account and company."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from django import forms

from timba.accounts.authorization import permissions_of
from timba.accounts.models import (
    MAX_ADDRESS,
    MAX_CONTACT,
    MAX_NAME,
    MAX_PASSWORD,
    MAX_ROLE_NAME,
    MAX_TIME_ZONE,
    MAX_USERNAME,
    Client,
    Role,
    User,
)
from timba.accounts.permissions import Permission
from timba.web.forms import MAX_SEARCH_LENGTH, IdField, ServiceForm

# Of a column for e-mail addresses.
MAX_EMAIL: Final = 254


class SignInForm(forms.Form):
    """A username and a password; longer ones than any account has are rejected unchecked."""

    username = forms.CharField(max_length=MAX_USERNAME)
    password = forms.CharField(max_length=MAX_PASSWORD, strip=False)


class ClientChoice(forms.Form):
    """The client whose rows staff want to see; empty for all clients."""

    client_id = IdField()


class ClientsQuery(forms.Form):
    """The filter of the list of clients."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH)


class OwnAccountForm(ServiceForm):
    """The fields that users may change of their own account."""

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
        """The submitted values that differ from the initial ones."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class CompanyForm(ServiceForm):
    """The client of the user, and the time zone of its PDFs and papers."""

    FIELDS: Final = ("name", "address", "contact", "email", "time_zone")

    name = forms.CharField(
        max_length=MAX_NAME,
        widget=forms.TextInput({"autocomplete": "organization"}),
        error_messages={"required": "A company needs a name."},
    )
    address = forms.CharField(
        required=False, max_length=MAX_ADDRESS, widget=forms.TextInput({"autocomplete": "off"})
    )
    contact = forms.CharField(
        required=False, max_length=MAX_CONTACT, widget=forms.TextInput({"autocomplete": "off"})
    )
    # The service checks it, and says what is wrong with it.
    email = forms.CharField(
        required=False,
        max_length=MAX_EMAIL,
        widget=forms.TextInput({"inputmode": "email", "autocomplete": "off"}),
    )
    time_zone = forms.CharField(
        max_length=MAX_TIME_ZONE,
        widget=forms.TextInput(
            {"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}
        ),
        error_messages={"required": "Give a time zone, such as Europe/Riga or UTC."},
    )

    @classmethod
    def from_client(cls, client: Client, data: Mapping[str, Any] | None = None) -> CompanyForm:
        """Return the form filled in from a client, or with `data` sent for it."""
        initial = {name: getattr(client, name) for name in cls.FIELDS}
        return cls(data, initial=initial, auto_id="company-%s")

    @property
    def changes(self) -> dict[str, Any]:
        """The submitted values that differ from the initial ones."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class PersonForm(OwnAccountForm):
    """A user of a client; `actor` is offered only the roles that they may assign."""

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
        current = kwargs.get("initial", {}).get("role")
        roles = Role.unscoped.assignable_in(client)
        allowed = [role.pk for role in roles if role.pk == current or _can_assign(actor, role)]
        field = cast("forms.ModelChoiceField[Role]", self.fields["role"])
        field.queryset = roles.filter(pk__in=allowed)


class NewPersonForm(PersonForm):
    """A new user, who cannot sign in without a password."""

    password = forms.CharField(
        required=False,
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )


class EditPersonForm(PersonForm):
    """A user who exists already."""

    is_active = forms.BooleanField(required=False)

    @classmethod
    def from_user(
        cls, user: User, data: Mapping[str, Any] | None = None, *, actor: User, client: Client
    ) -> EditPersonForm:
        """Return the form filled in from a user, or with `data` sent for them."""
        names = ("name", "username", "contact", "address", "is_active")
        initial = {**{name: getattr(user, name) for name in names}, "role": user.role_id}
        return cls(data, initial=initial, actor=actor, client=client)


class PasswordForm(ServiceForm):
    """A new password for another user."""

    password = forms.CharField(
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        error_messages={"required": "Type the new password."},
    )


class OwnPasswordForm(PasswordForm):
    """A new password for one's own account, confirmed by the current one."""

    current_password = forms.CharField(
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
        error_messages={"required": "Type the password that you have now."},
    )


class RoleForm(ServiceForm):
    """A role of a client, with its permissions."""

    name = forms.CharField(
        max_length=MAX_ROLE_NAME,
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "A role needs a name."},
    )
    permissions = forms.MultipleChoiceField(
        required=False, choices=Permission.choices, widget=forms.CheckboxSelectMultiple
    )

    @classmethod
    def from_role(cls, role: Role, data: Mapping[str, Any] | None = None) -> RoleForm:
        """Return the form filled in from a role, or with `data` sent for it."""
        return cls(data, initial={"name": role.name, "permissions": role.permissions})


def _can_assign(actor: User, role: Role) -> bool:
    if role.is_owner and not (actor.is_staff or actor.is_owner):
        return False
    return set(role.permissions) <= permissions_of(actor)
