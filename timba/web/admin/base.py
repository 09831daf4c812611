"""The base of the admin pages: they show rows, and leave every change to a service.

Django's own forms would write rows directly, without an event and with wrong totals. Here a form
only collects values. The service checks them, and its error is shown in the form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.decorators import display

from timba.accounts.models import User
from timba.db.text import text_contains
from timba.db.transactions import deferred_commit, retry_on_deadlock
from timba.errors import Conflict, DomainError, Invalid

ADD, CHANGE, DELETE = "add", "change", "delete"
# The attribute of a request that holds the error of its service.
_ERROR_ATTRIBUTE: Final = "_timba_service_error"
F = TypeVar("F", bound=Callable[..., Any])


def label_column(
    description: str, colours: Mapping[str, str], *, ordering: str | None = None
) -> Callable[[F], F]:
    """Decorate the method of a column: its value is shown as a label in the value's colour."""
    decorate: Callable[[F], F] = display(
        description=description, label=dict(colours), ordering=ordering
    )
    return decorate


class ServiceModelForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in its stubs only
    """Collects values; it neither validates nor writes the row."""

    service_error: ClassVar[DomainError | None] = None

    def _post_clean(self) -> None:
        """Show the error of the service; unlike Django's method, leave the instance unchanged."""
        if self.service_error is None:
            return
        fields = self.service_error.fields if isinstance(self.service_error, Invalid) else {}
        if not fields:
            self.add_error(None, str(self.service_error))
        for name, sentences in fields.items():
            if name in self.fields:
                self.add_error(name, sentences)
            else:
                self.add_error(None, [f"{name}: {sentence}" for sentence in sentences])


_DjangoAdmin: Any = admin.ModelAdmin  # the base of unfold's class, which is not typed


class _WithoutTransaction(_DjangoAdmin):  # type: ignore[misc]
    """Django's form page without the transaction that Django opens around all of it.

    Services hash passwords outside a transaction. The commit of the service's own transaction is
    deferred until Django has written its log entry. As the second base, this class comes after
    unfold's and before Django's in the method resolution order.
    """

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra: Any = None
    ) -> Any:
        with deferred_commit():
            return self._changeform_view(request, object_id, form_url, extra)


class ServiceModelAdmin(ModelAdmin, _WithoutTransaction):  # type: ignore[misc]  # django-unfold is not typed
    """The list and the form of one model; `allowed_actions` are those that have a service."""

    form = ServiceModelForm
    allowed_actions: frozenset[str] = frozenset()
    # The fields of a new row, the editable fields of an existing one, and its other fields.
    add_fields: Sequence[str] = ()
    change_fields: Sequence[str] = ()
    readonly_fields: Sequence[str] = ()
    # The sentence on what a deletion deletes too, and what it keeps.
    cascades: str = ""
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    list_filter_sheet = True

    def add(self, actor: User, values: Mapping[str, Any]) -> Model:
        """Create a row with the values of the form."""
        raise NotImplementedError

    def change(self, actor: User, row: Any, values: Mapping[str, Any]) -> Model:
        """Change the row; `values` are those that differ from it."""
        raise NotImplementedError

    def delete(self, actor: User, row: Any) -> None:
        """Delete the row."""
        raise NotImplementedError

    # --- Permissions: platform staff may do everything that has a service -------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(self.admin_site.has_permission(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return bool(self.admin_site.has_permission(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_allowed(request, ADD)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._is_allowed(request, CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._is_allowed(request, DELETE)

    def _is_allowed(self, request: HttpRequest, action: str) -> bool:
        return action in self.allowed_actions and bool(self.admin_site.has_permission(request))

    # --- Reading ----------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user)
        return rows.order_by(*self.get_ordering(request) or ("-pk",))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Match rows that contain every word in one of the `search_fields`, as on other pages.

        Fields named `…_key` are search keys.
        """
        fields = self.get_search_fields(request)
        texts = [field for field in fields if not field.endswith("_key")]
        keys = [field for field in fields if field.endswith("_key")]
        for word in search_term.split():
            condition = text_contains(word, *texts)
            for key in keys:
                condition |= Q(**{f"{key}__finds": word})
            queryset = queryset.filter(condition)
        return queryset, False

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:  # noqa: ARG002
        """Allow the lookups of the page's own filters.

        Others could probe hidden columns, such as a password hash character by character.
        """
        names = [getattr(f, "parameter_name", f) for f in self.list_filter]
        return any(lookup == name or lookup.startswith(f"{name}__") for name in names)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:  # noqa: ARG002
        return self.add_fields if obj is None else [*self.change_fields, *self.readonly_fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:  # noqa: ARG002
        return () if obj is None else self.readonly_fields

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        response: HttpResponse = super().changelist_view(
            request, {"title": title, **(extra_context or {})}
        )
        return response

    # --- Writing ----------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Any = None, **kwargs: Any
    ) -> type[ServiceModelForm]:
        form: type[ServiceModelForm] = super().get_form(request, obj, **kwargs)
        names = self.get_fields(request, obj)
        # Declared fields are in every form, whether or not `fields` lists them.
        form.base_fields = {
            name: field for name, field in form.base_fields.items() if name in names
        }
        form.service_error = getattr(request, _ERROR_ATTRIBUTE, None)
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show or save the form; on an error of the service, show the form again with it."""
        view = partial(super().changeform_view, request, *args, **kwargs)
        try:
            response: HttpResponse = retry_on_deadlock(view)()
        except DomainError as error:
            setattr(request, _ERROR_ATTRIBUTE, error)
            response = view()
        return response

    def save_model(self, request: Any, obj: Any, form: ServiceModelForm, change: bool) -> None:
        values = form.cleaned_data
        if change:
            values = {name: values[name] for name in form.changed_data}
            row = self.change(request.user, obj, values) if values else obj
        else:
            row = self.add(request.user, values)
        # Django's log entry and message use `obj`: they describe the row as the service left it.
        obj.__dict__.update(row.__dict__)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = retry_on_deadlock(super().delete_view)(
                request, *args, **kwargs
            )
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.path.removesuffix("delete/") + "change/")
        return response

    def delete_model(self, request: Any, obj: Any) -> None:
        self.delete(request.user, obj)

    def delete_queryset(self, request: Any, queryset: QuerySet[Any]) -> None:
        """Delete all selected rows or none, in the transaction of `response_action`."""
        for row in queryset:
            try:
                self.delete(request.user, row)
            except DomainError as error:
                raise Conflict(f"Nothing was deleted, because of “{row}”. {error}") from error

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        @retry_on_deadlock
        def run_action() -> HttpResponse | None:
            with transaction.atomic():
                response: HttpResponse | None = super(ServiceModelAdmin, self).response_action(
                    request, queryset
                )
                return response

        try:
            return run_action()
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.get_full_path())

    def get_deleted_objects(
        self,
        objs: Any,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Name the rows to delete; Django would query every related row one by one."""
        deleted: list[Any] = []
        for row in objs:
            deleted.append(str(row))
            if self.cascades:
                deleted.append([self.cascades])
        return deleted, {str(self.opts.verbose_name_plural): len(objs)}, set(), []
