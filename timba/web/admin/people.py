"""The staff's pages of clients, their subscriptions, users and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from timba.accounts.models import MAX_USERNAME, Client, Role, Subscription, User
from timba.accounts.permissions import Permission
from timba.accounts.roles import add_role, change_role, delete_role
from timba.accounts.services import (
    FirstOwner,
    add_user,
    change_client,
    change_user,
    delete_user,
    open_client,
)
from timba.accounts.subscriptions import MAX_SEATS, change_subscription
from timba.web.admin.base import ADD, CHANGE, DELETE, NounAdmin, NounForm, labelled
from timba.web.templatetags.formatting import many

_STATUS_COLOURS = {"trial": "info", "active": "success", "lapsed": "danger"}


class ClientForm(NounForm):
    """A client; with a new one, whoever owns it first."""

    username = forms.CharField(
        label="First owner's username",
        max_length=MAX_USERNAME,
        required=False,
        strip=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Leave both empty to add the users later.",
    )
    password = forms.CharField(
        label="First owner's password",
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


class ClientAdmin(NounAdmin):
    """Clients are suspended, never deleted."""

    form = ClientForm
    may = frozenset({ADD, CHANGE})
    list_display = ("name", "status", "seats", "is_active", "email", "created_at")
    list_select_related = ("subscription",)
    list_filter = ("is_active", "subscription__plan")
    search_fields = ("name", "email", "contact", "address")
    ordering = ("name", "id")
    add_fields = ("name", "address", "contact", "email", "username", "password")
    asked = ("name", "address", "contact", "email", "is_active")
    shown = ("subscription", "created_at", "updated_at")
    actions = ("suspend", "let_in_again")

    @labelled("Subscription", _STATUS_COLOURS)
    def status(self, client: Client) -> str:
        return client.subscription.status

    @admin.display(description="Seats")
    def seats(self, client: Client) -> int:
        return client.subscription.seats

    def add(self, actor: User, given: Mapping[str, Any]) -> Client:
        texts = {name: value for name, value in given.items() if name in ClientAdmin.asked}
        owner = None
        if given["username"] or given["password"]:
            owner = FirstOwner(username=given["username"], password=given["password"])
        return open_client(actor=actor, owner=owner, **texts)

    def change(self, actor: User, row: Client, given: Mapping[str, Any]) -> Client:
        return change_client(actor=actor, client=row, **given)

    @method_decorator(sensitive_post_parameters("password"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(request, *args, **kwargs)

    @admin.action(description="Suspend: shut their people out at once")
    def suspend(self, request: Any, clients: QuerySet[Client]) -> None:
        self._set_active(request, clients, is_active=False)

    @admin.action(description="Let in again")
    def let_in_again(self, request: Any, clients: QuerySet[Client]) -> None:
        self._set_active(request, clients, is_active=True)

    def _set_active(self, request: Any, clients: QuerySet[Client], *, is_active: bool) -> None:
        changing = list(clients.filter(is_active=not is_active))
        for client in changing:
            changed = change_client(actor=request.user, client=client, is_active=is_active)
            self.log_change(request, changed, [{"changed": {"fields": ["is active"]}}])
        were = "was" if len(changing) == 1 else "were"
        done = "let in again" if is_active else "suspended"
        said = f"{many(len(changing), 'client')} {were} {done}."
        self.message_user(request, said, messages.SUCCESS)


class Lapse(admin.SimpleListFilter):
    """Whose period is over."""

    title = "whether it runs"
    parameter_name = "lapsed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("no", "Runs"), ("yes", "Lapsed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        now = timezone.now()
        if self.value() == "yes":
            return queryset.filter(current_period_end__lte=now)
        return queryset.filter(current_period_end__gt=now) if self.value() == "no" else queryset


class SubscriptionForm(NounForm):
    """A subscription's plan, period and seats."""

    seats = forms.IntegerField(min_value=1, max_value=MAX_SEATS)


class SubscriptionAdmin(NounAdmin):
    """A subscription begins with its client, and stays with it."""

    may = frozenset({CHANGE})
    list_display = ("client", "status", "plan", "seats", "current_period_end")
    list_select_related = ("client",)
    list_filter = ("plan", Lapse)
    search_fields = ("client__name", "client__email")
    ordering = ("current_period_end", "client_id")
    asked = ("plan", "seats", "current_period_end")
    shown = ("client", "status")

    @labelled("Status", _STATUS_COLOURS)
    def status(self, subscription: Subscription) -> str:
        return subscription.status

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Subscription.objects.order_by(*self.get_ordering(request))

    def change(self, actor: User, row: Subscription, given: Mapping[str, Any]) -> Subscription:
        return change_subscription(actor=actor, client=row.client, **given)


class UserForm(NounForm):
    """A user; which role and whether a password is asked for depends on who it is."""

    password = forms.CharField(
        label="New password",
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="It ends all sign-ins of this user. Leave it empty to keep what there is.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields.get("role")
        if isinstance(role, forms.ModelChoiceField):
            user = self.instance
            role.required = True
            role.queryset = (
                Role.unscoped.assignable_in(user.client)
                if user.pk
                else Role.unscoped.filter(client=None)
            )
            if not user.pk:
                role.help_text = "A role of the client's own can be given to a user who is there."
        if (client := self.fields.get("client")) is not None:
            client.required = True


class UserAdmin(NounAdmin):
    """Users of clients, and the staff themselves; whom `createsuperuser` makes."""

    form = UserForm
    may = frozenset({ADD, CHANGE, DELETE})
    list_display = ("username", "name", "client", "role", "is_active", "is_staff", "created_at")
    list_select_related = ("client", "role")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "name", "contact", "client__name")
    ordering = ("username",)
    autocomplete_fields = ("client",)
    add_fields = (
        "client", "username", "name", "role", "address", "contact", "password", "is_active",
    )  # fmt: skip
    asked = ("username", "name", "role", "address", "contact", "password", "is_active")
    shown = ("client", "is_staff", "created_at", "updated_at")
    cascades = "What this user made stays."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        fields = super().get_fields(request, obj)
        hidden = {"role"} if obj is not None and obj.is_staff else set()
        if obj is not None and obj.pk == request.user.pk:
            # One's own password is changed on the account page, which asks for the old one.
            hidden.add("password")
        return [name for name in fields if name not in hidden]

    def add(self, actor: User, given: Mapping[str, Any]) -> User:
        return add_user(actor=actor, **{**given, "password": given["password"] or None})

    def change(self, actor: User, row: User, given: Mapping[str, Any]) -> User:
        return change_user(actor=actor, user=row, **given)

    def delete(self, actor: User, row: User) -> None:
        delete_user(actor=actor, user=row)

    @method_decorator(sensitive_post_parameters("password"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(request, *args, **kwargs)


class RoleForm(NounForm):
    """A role of a client's own, and what it allows."""

    permissions = forms.MultipleChoiceField(
        choices=Permission.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (client := self.fields.get("client")) is not None:
            client.required = True


class RoleAdmin(NounAdmin):
    """The built-in roles stay as they are."""

    form = RoleForm
    may = frozenset({ADD, CHANGE, DELETE})
    list_display = ("name", "client", "allows")
    list_select_related = ("client",)
    search_fields = ("name", "client__name")
    ordering = ("client_id", "id")
    autocomplete_fields = ("client",)
    add_fields = ("client", "name", "permissions")
    asked = ("name", "permissions")
    shown = ("client",)

    @admin.display(description="It may")
    def allows(self, role: Role) -> str:
        return ", ".join(Permission(name).label for name in role.permissions) or "read"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_built_in = obj is not None and obj.client_id is None
        return not is_built_in and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_built_in = obj is not None and obj.client_id is None
        return not is_built_in and super().has_delete_permission(request, obj)

    def add(self, actor: User, given: Mapping[str, Any]) -> Role:
        return add_role(actor=actor, **given)

    def change(self, actor: User, row: Role, given: Mapping[str, Any]) -> Role:
        return change_role(actor=actor, role=row, **given)

    def delete(self, actor: User, row: Role) -> None:
        delete_role(actor=actor, role=row)
