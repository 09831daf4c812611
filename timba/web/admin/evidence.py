"""The staff's pages of what lies beside the timber: files, notes and the names of cities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from timba.accounts.models import User
from timba.files.models import File
from timba.files.services import delete_file, place_file, retry_file
from timba.notes.models import Note
from timba.notes.services import change_note, delete_note, write_note
from timba.places.models import CITY_NUMBERS, MAX_CITY_NAME, City
from timba.temperatures.services import name_city_and_invalidate_cache
from timba.web.admin.base import ADD, CHANGE, DELETE, NounAdmin, NounForm, labelled
from timba.web.templatetags.formatting import many, size

_STATUS_COLOURS = {"PENDING": "info", "SUCCESS": "success", "FAILURE": "danger"}


class FileForm(NounForm):
    """Where a file belongs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place in self.fields.values():
            place.required = False


class FileAdmin(NounAdmin):
    """Files that callers can know of; they come in by uploads only."""

    form = FileForm
    may = frozenset({CHANGE, DELETE})
    list_display = ("name", "client", "kind", "state", "weight", "uploaded_by", "uploaded_at")
    list_select_related = ("client", "uploaded_by")
    list_filter = ("status", "kind")
    search_fields = ("name", "sha256", "client__name")
    ordering = ("-uploaded_at", "-id")
    raw_id_fields = ("consignment", "log")
    asked = ("consignment", "log")
    shown = (
        "page", "client", "kind", "media_type", "weight", "sha256", "state", "progress", "error",
        "findings", "uploaded_by", "uploaded_at", "processed_at", "task_id", "request_id",
    )  # fmt: skip
    cascades = "Its previews and readings go too; its bytes are erased after the days of the trash."
    actions = ("try_again",)

    @labelled("Status", _STATUS_COLOURS, ordering="status")
    def state(self, file: File) -> str:
        return file.status

    @admin.display(description="Size", ordering="size")
    def weight(self, file: File) -> str:
        return size(file.size)

    @admin.display(description="Page")
    def page(self, file: File) -> str:
        address = reverse("web:file", args=[file.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, file.name)

    @admin.display(description="Result")
    def findings(self, file: File) -> str:
        if file.result is None:
            return "–"
        text = orjson.dumps(file.result, option=orjson.OPT_INDENT_2).decode()
        return format_html("<pre>{}</pre>", text)

    def change(self, actor: User, row: File, given: Mapping[str, Any]) -> File:
        return place_file(actor=actor, file=row, **given)

    def delete(self, actor: User, row: File) -> None:
        delete_file(actor=actor, file=row)

    @admin.action(description="Process failures again")
    def try_again(self, request: Any, files: QuerySet[File]) -> None:
        failed = list(files.filter(status=File.Status.FAILURE))
        for file in failed:
            retry_file(actor=request.user, file=file)
        are = "is" if len(failed) == 1 else "are"
        said = f"{many(len(failed), 'file')} {are} processed again."
        self.message_user(request, said, messages.SUCCESS)


class NoteForm(NounForm):
    """A note; it need not belong to a consignment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["consignment"].required = False


class NoteAdmin(NounAdmin):
    """Notes of every client."""

    form = NoteForm
    may = frozenset({ADD, CHANGE, DELETE})
    list_display = ("title", "client", "consignment", "created_by", "created_at", "updated_at")
    list_select_related = ("client", "consignment", "created_by")
    search_fields = ("title", "content", "client__name")
    ordering = ("-id",)
    autocomplete_fields = ("client",)
    raw_id_fields = ("consignment",)
    add_fields = ("client", "title", "content", "consignment")
    asked = ("title", "content", "consignment")
    shown = ("client", "created_by", "created_at", "updated_at")

    def add(self, actor: User, given: Mapping[str, Any]) -> Note:
        return write_note(actor=actor, **given)

    def change(self, actor: User, row: Note, given: Mapping[str, Any]) -> Note:
        return change_note(actor=actor, note=row, **given)

    def delete(self, actor: User, row: Note) -> None:
        delete_note(actor=actor, note=row)


class CityForm(NounForm):
    """A city's number, and the name that a client gives it."""

    number = forms.IntegerField(
        min_value=CITY_NUMBERS[0],
        max_value=CITY_NUMBERS[-1],
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The client's own number; one that has a name already gets this one instead.",
    )
    name = forms.CharField(max_length=MAX_CITY_NAME, widget=UnfoldAdminTextInputWidget)


class CityAdmin(NounAdmin):
    """A number exists by being used: only its name can be given."""

    form = CityForm
    may = frozenset({ADD, CHANGE})
    list_display = ("name", "number", "client")
    list_select_related = ("client",)
    search_fields = ("name", "client__name")
    ordering = ("name", "id")
    autocomplete_fields = ("client",)
    add_fields = ("client", "number", "name")
    asked = ("name",)
    shown = ("client", "number")

    def add(self, actor: User, given: Mapping[str, Any]) -> City:
        return name_city_and_invalidate_cache(
            actor=actor, client=given["client"], city_id=given["number"], name=given["name"]
        )

    def change(self, actor: User, row: City, given: Mapping[str, Any]) -> City:
        return name_city_and_invalidate_cache(
            actor=actor, client=row.client, city_id=row.number, **given
        )
