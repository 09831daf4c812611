"""The admin pages of clients, their subscriptions, users and roles."""

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
from timba.accounts.subscriptions import change_subscription
from timba.web.admin.base import (
    ADD,
    CHANGE,
    DELETE,
    ServiceModelAdmin,
    ServiceModelForm,
    label_column,
)
from timba.web.templatetags.formatting import file_size, quantity

_STATUS_COLOURS = {"trial": "info", "active": "success", "lapsed": "danger"}


class ClientForm(ServiceModelForm):
    """A client; a new one may get its first owner too."""

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


class ClientAdmin(ServiceModelAdmin):
    """Clients, who can be suspended but not deleted."""

    form = ClientForm
    allowed_actions = frozenset({ADD, CHANGE})
    list_display = ("name", "status", "seats", "is_active", "email", "created_at")
    list_select_related = ("subscription",)
    list_filter = ("is_active", "subscription__plan")
    search_fields = ("name", "email", "contact", "address")
    ordering = ("name", "id")
    add_fields = ("name", "address", "contact", "email", "username", "password")
    change_fields = ("name", "address", "contact", "email", "time_zone", "is_active")
    readonly_fields = ("subscription", "created_at", "updated_at")
    actions = ("suspend", "reactivate")

    @label_column("Subscription", _STATUS_COLOURS)
    def status(self, client: Client) -> str:
        return client.subscription.status

    @admin.display(description="Seats")
    def seats(self, client: Client) -> int:
        return client.subscription.seats

    def add(self, actor: User, values: Mapping[str, Any]) -> Client:
        texts = {name: value for name, value in values.items() if name in self.change_fields}
        owner = None
        if values["username"] or values["password"]:
            owner = FirstOwner(username=values["username"], password=values["password"])
        return open_client(actor=actor, owner=owner, **texts)

    def change(self, actor: User, row: Client, values: Mapping[str, Any]) -> Client:
        return change_client(actor=actor, client=row, **values)

    @method_decorator(sensitive_post_parameters("password"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(request, *args, **kwargs)

    @admin.action(description="Suspend: shut their people out at once")
    def suspend(self, request: Any, clients: QuerySet[Client]) -> None:
        self._set_active(request, clients, is_active=False)

    @admin.action(description="Let in again")
    def reactivate(self, request: Any, clients: QuerySet[Client]) -> None:
        self._set_active(request, clients, is_active=True)

    def _set_active(self, request: Any, clients: QuerySet[Client], *, is_active: bool) -> None:
        rows = list(clients.filter(is_active=not is_active))
        for row in rows:
            client = change_client(actor=request.user, client=row, is_active=is_active)
            self.log_change(request, client, [{"changed": {"fields": ["is active"]}}])
        verb = "was" if len(rows) == 1 else "were"
        participle = "let in again" if is_active else "suspended"
        message = f"{quantity(len(rows), 'client')} {verb} {participle}."
        self.message_user(request, message, messages.SUCCESS)


class SubscriptionStateFilter(admin.SimpleListFilter):
    """Filters subscriptions by whether their period is over."""

    title = "whether it runs"
    parameter_name = "lapsed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("no", "Runs"), ("yes", "Lapsed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        now = timezone.now()
        if self.value() == "yes":
            return queryset.filter(current_period_end__lte=now)
        return queryset.filter(current_period_end__gt=now) if self.value() == "no" else queryset


class SubscriptionAdmin(ServiceModelAdmin):
    """Subscriptions; each is created with its client."""

    allowed_actions = frozenset({CHANGE})
    list_display = ("client", "status", "plan", "seats", "storage", "current_period_end")
    list_select_related = ("client",)
    list_filter = ("plan", SubscriptionStateFilter)
    search_fields = ("client__name", "client__email")
    ordering = ("current_period_end", "client_id")
    change_fields = ("plan", "seats", "current_period_end", "quota_bytes")
    readonly_fields = ("client", "status", "storage")

    @label_column("Status", _STATUS_COLOURS)
    def status(self, subscription: Subscription) -> str:
        return subscription.status

    @admin.display(description="Storage", ordering="used_bytes")
    def storage(self, subscription: Subscription) -> str:
        used, quota = subscription.used_bytes, subscription.quota_bytes
        return file_size(used) if quota is None else f"{file_size(used)} of {file_size(quota)}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Subscription.objects.order_by(*self.get_ordering(request))

    def change(self, actor: User, row: Subscription, values: Mapping[str, Any]) -> Subscription:
        return change_subscription(actor=actor, client=row.client, **values)


class UserForm(ServiceModelForm):
    """A user; the roles to choose from depend on the user's client."""

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
                role.help_text = "A role of the client's own can be given once the user exists."
        if (client := self.fields.get("client")) is not None:
            client.required = True


class UserAdmin(ServiceModelAdmin):
    """Users of clients, and platform staff, whom only `createsuperuser` creates."""

    form = UserForm
    allowed_actions = frozenset({ADD, CHANGE, DELETE})
    list_display = ("username", "name", "client", "role", "is_active", "is_staff", "created_at")
    list_select_related = ("client", "role")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "name", "contact", "client__name")
    ordering = ("username",)
    autocomplete_fields = ("client",)
    add_fields = (
        "client", "username", "name", "role", "address", "contact", "password", "is_active",
    )  # fmt: skip
    change_fields = ("username", "name", "role", "address", "contact", "password", "is_active")
    readonly_fields = ("client", "is_staff", "created_at", "updated_at")
    cascades = "What this user made stays."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        fields = super().get_fields(request, obj)
        hidden = {"role"} if obj is not None and obj.is_staff else set()
        if obj is not None and obj.pk == request.user.pk:
            # The account page, which requires the current password, changes one's own.
            hidden.add("password")
        return [name for name in fields if name not in hidden]

    def add(self, actor: User, values: Mapping[str, Any]) -> User:
        return add_user(actor=actor, **{**values, "password": values["password"] or None})

    def change(self, actor: User, row: User, values: Mapping[str, Any]) -> User:
        return change_user(actor=actor, user=row, **values)

    def delete(self, actor: User, row: User) -> None:
        delete_user(actor=actor, user=row)

    @method_decorator(sensitive_post_parameters("password"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(request, *args, **kwargs)


class RoleForm(ServiceModelForm):
    """A role of a client, with its permissions."""

    permissions = forms.MultipleChoiceField(
        choices=Permission.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (client := self.fields.get("client")) is not None:
            client.required = True


class RoleAdmin(ServiceModelAdmin):
    """Roles; the built-in ones are read-only."""

    form = RoleForm
    allowed_actions = frozenset({ADD, CHANGE, DELETE})
    list_display = ("name", "client", "permission_list")
    list_select_related = ("client",)
    search_fields = ("name", "client__name")
    ordering = ("client_id", "id")
    autocomplete_fields = ("client",)
    add_fields = ("client", "name", "permissions")
    change_fields = ("name", "permissions")
    readonly_fields = ("client",)

    @admin.display(description="It may")
    def permission_list(self, role: Role) -> str:
        return ", ".join(Permission(name).label for name in role.permissions) or "read"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_built_in = obj is not None and obj.client_id is None
        return not is_built_in and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_built_in = obj is not None and obj.client_id is None
        return not is_built_in and super().has_delete_permission(request, obj)

    def add(self, actor: User, values: Mapping[str, Any]) -> Role:
        return add_role(actor=actor, **values)

    def change(self, actor: User, row: Role, values: Mapping[str, Any]) -> Role:
        return change_role(actor=actor, role=row, **values)

    def delete(self, actor: User, row: Role) -> None:
        delete_role(actor=actor, role=row)
