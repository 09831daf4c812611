"""What the staff's pages of every noun share: they show rows, and leave each change to a service.

Django's own forms would write rows past the services: without an event, with totals that no longer
add up. Here a form only collects what is asked for. Who refuses is the service, and its sentence
stands in the form, as if the form had said it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
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
_REFUSAL: Final = "_timba_refusal"
F = TypeVar("F", bound=Callable[..., Any])


def labelled(
    description: str, colours: Mapping[str, str], *, ordering: str | None = None
) -> Callable[[F], F]:
    """Show what a column's method returns as a label in the colour of its value."""
    decorate: Callable[[F], F] = display(
        description=description, label=dict(colours), ordering=ordering
    )
    return decorate


class NounForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in its stubs only
    """Collects what is asked for; it neither judges the row nor writes it."""

    refusal: ClassVar[DomainError | None] = None

    def _post_clean(self) -> None:
        """Say what the service refused; the row itself stays as it was read."""
        if self.refusal is None:
            return
        fields = self.refusal.fields if isinstance(self.refusal, Invalid) else {}
        if not fields:
            self.add_error(None, str(self.refusal))
        for name, sentences in fields.items():
            if name in self.fields:
                self.add_error(name, sentences)
            else:
                self.add_error(None, [f"{name}: {sentence}" for sentence in sentences])


_DjangoAdmin: Any = admin.ModelAdmin  # untyped, as unfold's is, whose base it is too


class _WithoutTransaction(_DjangoAdmin):  # type: ignore[misc]
    """Django's page of a form, but for the transaction in which Django does all of it.

    A service hashes a password before its own transaction, whose commit then waits until Django has
    noted in its log who did what. As a base beside unfold's class, this one comes after that and
    before Django's.
    """

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra: Any = None
    ) -> Any:
        with deferred_commit():
            return self._changeform_view(request, object_id, form_url, extra)


class NounAdmin(ModelAdmin, _WithoutTransaction):  # type: ignore[misc]  # django-unfold is not typed
    """One noun's list and page; `may` says which verbs its services have."""

    form = NounForm
    may: frozenset[str] = frozenset()
    # What stands on the page of a new row, and of one that is there.
    add_fields: Sequence[str] = ()
    asked: Sequence[str] = ()
    shown: Sequence[str] = ()
    # What a deletion takes along, and what it leaves.
    cascades: str = ""
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    list_filter_sheet = True

    def add(self, actor: User, given: Mapping[str, Any]) -> Model:
        """Make the row that the form asks for."""
        raise NotImplementedError

    def change(self, actor: User, row: Any, given: Mapping[str, Any]) -> Model:
        """Change the row; `given` holds what differs from it."""
        raise NotImplementedError

    def delete(self, actor: User, row: Any) -> None:
        """Take the row away."""
        raise NotImplementedError

    # --- Who may what: the platform's staff everything that there is a service for ----------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(self.admin_site.has_permission(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return bool(self.admin_site.has_permission(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, ADD)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._may(request, CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._may(request, DELETE)

    def _may(self, request: HttpRequest, verb: str) -> bool:
        return verb in self.may and bool(self.admin_site.has_permission(request))

    # --- What is shown ----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user)
        return rows.order_by(*self.get_ordering(request) or ("-pk",))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find every word in one of the `search_fields`, as the other pages do."""
        for word in search_term.split():
            queryset = queryset.filter(text_contains(word, *self.get_search_fields(request)))
        return queryset, False

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:  # noqa: ARG002
        """Allow what the page's own filters ask for.

        Any other lookup reads out what no page shows, as a password's hash letter by letter.
        """
        offered = [getattr(one, "parameter_name", one) for one in self.list_filter]
        return any(lookup == name or lookup.startswith(f"{name}__") for name in offered)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:  # noqa: ARG002
        return self.add_fields if obj is None else [*self.asked, *self.shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:  # noqa: ARG002
        return () if obj is None else self.shown

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        response: HttpResponse = super().changelist_view(
            request, {"title": title, **(extra_context or {})}
        )
        return response

    # --- What is done -----------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> type[NounForm]:
        form: type[NounForm] = super().get_form(request, obj, **kwargs)
        asked = self.get_fields(request, obj)
        # What a form declares it would take, asked for or not.
        form.base_fields = {
            name: field for name, field in form.base_fields.items() if name in asked
        }
        form.refusal = getattr(request, _REFUSAL, None)
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or do what it asks; where the service refuses, show what it says."""
        view = partial(super().changeform_view, request, *args, **kwargs)
        try:
            response: HttpResponse = retry_on_deadlock(view)()
        except DomainError as refusal:
            setattr(request, _REFUSAL, refusal)
            response = view()
        return response

    def save_model(self, request: Any, obj: Any, form: NounForm, change: bool) -> None:
        given = form.cleaned_data
        if change:
            given = {name: given[name] for name in form.changed_data}
            row = self.change(request.user, obj, given) if given else obj
        else:
            row = self.add(request.user, given)
        # What is said of the row from here on, is said of it as it is now.
        obj.__dict__.update(row.__dict__)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = retry_on_deadlock(super().delete_view)(
                request, *args, **kwargs
            )
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(request.path.removesuffix("delete/") + "change/")
        return response

    def delete_model(self, request: Any, obj: Any) -> None:
        self.delete(request.user, obj)

    def delete_queryset(self, request: Any, queryset: QuerySet[Any]) -> None:
        """Delete all of the chosen rows, or none: the transaction is `response_action`'s."""
        for row in queryset:
            try:
                self.delete(request.user, row)
            except DomainError as refusal:
                raise Conflict(f"Nothing was deleted, because of “{row}”. {refusal}") from refusal

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        @retry_on_deadlock
        def act() -> HttpResponse | None:
            with transaction.atomic():
                response: HttpResponse | None = super(NounAdmin, self).response_action(
                    request, queryset
                )
                return response

        try:
            return act()
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(request.get_full_path())

    def get_deleted_objects(
        self,
        objs: Any,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Name what goes; it would take Django a query for every row that hangs on it."""
        going: list[Any] = []
        for row in objs:
            going.append(str(row))
            if self.cascades:
                going.append([self.cascades])
        return going, {str(self.opts.verbose_name_plural): len(objs)}, set(), []
