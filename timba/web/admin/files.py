"""The admin pages of files, notes and the names of cities."""

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
from timba.files.services import delete_file, link_file, retry_file
from timba.notes.models import Note
from timba.notes.services import change_note, delete_note, write_note
from timba.places.city_numbers import CITY_NUMBERS
from timba.places.models import MAX_CITY_NAME, City
from timba.places.services import name_city
from timba.web.admin.base import (
    ADD,
    CHANGE,
    DELETE,
    ServiceModelAdmin,
    ServiceModelForm,
    label_column,
)
from timba.web.templatetags.formatting import file_size, quantity

_STATUS_COLOURS = {"PENDING": "info", "SUCCESS": "success", "FAILURE": "danger"}


class FileForm(ServiceModelForm):
    """The consignment or log that a file belongs to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False


class FileAdmin(ServiceModelAdmin):
    """Files, which only uploads can add."""

    form = FileForm
    allowed_actions = frozenset({CHANGE, DELETE})
    list_display = (
        "name",
        "client",
        "kind",
        "status_label",
        "readable_size",
        "uploaded_by",
        "uploaded_at",
    )
    list_select_related = ("client", "uploaded_by")
    list_filter = ("status", "kind")
    search_fields = ("name_key", "sha256", "client__name")
    ordering = ("-uploaded_at", "-id")
    raw_id_fields = ("consignment", "log")
    change_fields = ("consignment", "log")
    readonly_fields = (
        "page_link", "client", "kind", "media_type", "readable_size", "sha256", "status_label",
        "progress", "error", "result_json", "uploaded_by", "uploaded_at", "processed_at", "task_id",
        "request_id",
    )  # fmt: skip
    cascades = "Its previews and readings go too; its bytes are erased after the days of the trash."
    actions = ("retry_failed",)

    @label_column("Status", _STATUS_COLOURS, ordering="status")
    def status_label(self, file: File) -> str:
        return file.status

    @admin.display(description="Size", ordering="size")
    def readable_size(self, file: File) -> str:
        return file_size(file.size)

    @admin.display(description="Page")
    def page_link(self, file: File) -> str:
        url = reverse("web:file", args=[file.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', url, file.name)

    @admin.display(description="Result")
    def result_json(self, file: File) -> str:
        if file.result is None:
            return "–"
        text = orjson.dumps(file.result, option=orjson.OPT_INDENT_2).decode()
        return format_html("<pre>{}</pre>", text)

    def change(self, actor: User, row: File, values: Mapping[str, Any]) -> File:
        return link_file(actor=actor, file=row, **values)

    def delete(self, actor: User, row: File) -> None:
        delete_file(actor=actor, file=row)

    @admin.action(description="Process failures again")
    def retry_failed(self, request: Any, files: QuerySet[File]) -> None:
        failed = list(files.filter(status=File.Status.FAILURE))
        for file in failed:
            retry_file(actor=request.user, file=file)
        verb = "is" if len(failed) == 1 else "are"
        message = f"{quantity(len(failed), 'file')} {verb} processed again."
        self.message_user(request, message, messages.SUCCESS)


class NoteForm(ServiceModelForm):
    """A note, with or without a consignment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["consignment"].required = False


class NoteAdmin(ServiceModelAdmin):
    """Notes of every client."""

    form = NoteForm
    allowed_actions = frozenset({ADD, CHANGE, DELETE})
    list_display = ("title", "client", "consignment", "created_by", "created_at", "updated_at")
    list_select_related = ("client", "consignment", "created_by")
    search_fields = ("title_key", "content", "client__name")
    ordering = ("-id",)
    autocomplete_fields = ("client",)
    raw_id_fields = ("consignment",)
    add_fields = ("client", "title", "content", "consignment")
    change_fields = ("title", "content", "consignment")
    readonly_fields = ("client", "created_by", "created_at", "updated_at")

    def add(self, actor: User, values: Mapping[str, Any]) -> Note:
        return write_note(actor=actor, **values)

    def change(self, actor: User, row: Note, values: Mapping[str, Any]) -> Note:
        return change_note(actor=actor, note=row, **values)

    def delete(self, actor: User, row: Note) -> None:
        delete_note(actor=actor, note=row)


class CityForm(ServiceModelForm):
    """A city's number, and the name that a client gives it."""

    number = forms.IntegerField(
        min_value=CITY_NUMBERS[0],
        max_value=CITY_NUMBERS[-1],
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The client's own number; one that has a name already gets this one instead.",
    )
    name = forms.CharField(max_length=MAX_CITY_NAME, widget=UnfoldAdminTextInputWidget)


class CityAdmin(ServiceModelAdmin):
    """The names of cities; a city itself exists as soon as a reading or consignment uses it."""

    form = CityForm
    allowed_actions = frozenset({ADD, CHANGE})
    list_display = ("name", "number", "client")
    list_select_related = ("client",)
    search_fields = ("name", "client__name")
    ordering = ("name", "id")
    autocomplete_fields = ("client",)
    add_fields = ("client", "number", "name")
    change_fields = ("name",)
    readonly_fields = ("client", "number")

    def add(self, actor: User, values: Mapping[str, Any]) -> City:
        return name_city(
            actor=actor, client=values["client"], city_id=values["number"], name=values["name"]
        )

    def change(self, actor: User, row: City, values: Mapping[str, Any]) -> City:
        return name_city(actor=actor, client=row.client, city_id=row.number, **values)
