"""The admin pages of consignments and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from timba.accounts.models import User
from timba.consignments.barcode_text import normalize_barcode
from timba.consignments.logs import add_log, change_log, delete_log
from timba.consignments.measures import PLAUSIBLE
from timba.consignments.models import Consignment, Log
from timba.consignments.services import change_consignment, open_consignment
from timba.consignments.trash import delete_consignment
from timba.places.city_numbers import CITY_NUMBERS
from timba.web.admin.base import ADD, CHANGE, DELETE, ServiceModelAdmin, ServiceModelForm


class ConsignmentForm(ServiceModelForm):
    """A consignment; its city is given by the client's own number."""

    city_id = forms.IntegerField(
        label="City number",
        min_value=CITY_NUMBERS[0],
        max_value=CITY_NUMBERS[-1],
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class ConsignmentAdmin(ServiceModelAdmin):
    """Consignments; their totals are computed from their logs."""

    form = ConsignmentForm
    allowed_actions = frozenset({ADD, CHANGE, DELETE})
    list_display = (
        "name", "client", "type", "vehicle_number", "log_count", "cubic_metres", "created_at",
    )  # fmt: skip
    list_select_related = ("client",)
    list_filter = ("type",)
    search_fields = ("name_key", "vehicle_key", "client__name")
    ordering = ("-id",)
    autocomplete_fields = ("client",)
    add_fields = ("client", "name", "type", "vehicle_number", "city_id")
    change_fields = ("name", "type", "vehicle_number", "city_id")
    readonly_fields = (
        "client", "log_count", "cubic_metres", "created_by", "created_at", "updated_by",
        "updated_at",
    )  # fmt: skip
    cascades = (
        "Its logs go too; its files and notes stay, and belong to no consignment. It can be "
        "restored with all of them for TIMBA_TRASH_DAYS."
    )

    @admin.display(description="m³", ordering="volume")
    def cubic_metres(self, consignment: Consignment) -> str:
        return f"{consignment.volume:,.3f}"

    def add(self, actor: User, values: Mapping[str, Any]) -> Consignment:
        return open_consignment(actor=actor, **values)

    def change(self, actor: User, row: Consignment, values: Mapping[str, Any]) -> Consignment:
        return change_consignment(actor=actor, consignment=row, **values)

    def delete(self, actor: User, row: Consignment) -> None:
        delete_consignment(actor=actor, consignment=row)


class LogForm(ServiceModelForm):
    """A log; a new one without a barcode gets one."""

    barcode = forms.CharField(required=False, strip=False, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.fields["barcode"].help_text = "Leave it empty to have one made."
        for measure, plausible in PLAUSIBLE.items():
            self.fields[measure].label = f"{measure.capitalize()}, {plausible.unit}"

    def clean_barcode(self) -> str:
        return normalize_barcode(self.cleaned_data["barcode"])


class LogAdmin(ServiceModelAdmin):
    """Logs; the services update the totals of their consignment."""

    form = LogForm
    allowed_actions = frozenset({ADD, CHANGE, DELETE})
    list_display = (
        "barcode", "consignment", "client", "length", "breadth", "height", "cubic_metres",
        "created_at",
    )  # fmt: skip
    list_select_related = ("consignment", "client")
    search_fields = ("barcode_search_key", "consignment__name_key", "client__name")
    ordering = ("-id",)
    raw_id_fields = ("consignment",)
    add_fields = ("consignment", "barcode", "length", "breadth", "height")
    change_fields = ("barcode", "length", "breadth", "height")
    readonly_fields = (
        "consignment",
        "client",
        "cubic_metres",
        "created_by",
        "created_at",
        "updated_at",
    )
    cascades = "The totals of its consignment follow; its files stay."

    @admin.display(description="m³", ordering="volume")
    def cubic_metres(self, log: Log) -> str:
        return f"{log.volume:,.3f}"

    def add(self, actor: User, values: Mapping[str, Any]) -> Log:
        return add_log(actor=actor, **{**values, "barcode": values["barcode"] or None})

    def change(self, actor: User, row: Log, values: Mapping[str, Any]) -> Log:
        return change_log(actor=actor, log=row, **values)

    def delete(self, actor: User, row: Log) -> None:
        delete_log(actor=actor, log=row)
