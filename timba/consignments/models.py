"""Consignments and their logs, those that were deleted, and row locks.

A transaction that adds a log, or links a file or note, locks the consignment before any other row:
its totals stay exact, and nothing is linked to a consignment that is being deleted. The order of
locks is always consignment, file or note, barcode counter, event stream.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import TenantModel
from timba.consignments.barcode_text import MAX_BARCODE, MAX_BARCODE_KEY
from timba.consignments.measures import MEASURE_DECIMALS, MEASURE_DIGITS
from timba.db.fields import OrderedJSONField
from timba.db.search_keys import KEY_LENGTH_RATIO, SearchKeyField
from timba.errors import NotFound

MAX_CONSIGNMENT_NAME = 100
MAX_VEHICLE_NUMBER = 30


class ConsignmentColumns(TenantModel):
    """What a consignment keeps when it is deleted."""

    class Type(models.TextChoices):
        HARDWOOD = "hardwood"
        PINEWOOD = "pinewood"

    name = models.CharField(max_length=MAX_CONSIGNMENT_NAME)
    name_key = SearchKeyField(of="name", max_length=KEY_LENGTH_RATIO * MAX_CONSIGNMENT_NAME)
    type = models.CharField(max_length=20, choices=Type)
    vehicle_number = models.CharField(max_length=MAX_VEHICLE_NUMBER, blank=True)
    vehicle_key = SearchKeyField(
        of="vehicle_number", is_compact=True, max_length=KEY_LENGTH_RATIO * MAX_VEHICLE_NUMBER
    )
    city_id = models.PositiveIntegerField(null=True)
    log_count = models.PositiveIntegerField(default=0)
    volume = models.DecimalField(max_digits=14, decimal_places=3, default=Decimal(0))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return self.name


class Consignment(ConsignmentColumns):
    """A lorry load of logs; every change of a log updates its totals."""

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["client", "name"], name="consignment_name_is_unique"),
            models.CheckConstraint(
                condition=models.Q(type__in=["hardwood", "pinewood"]),
                name="consignment_type_is_known",
            ),
        ]
        indexes = [models.Index(fields=["client", "-id"], name="consignment_by_client")]


class DeletedConsignment(ConsignmentColumns):
    """A consignment in the trash, under the id that it had; see `trash`."""

    id = models.BigIntegerField(primary_key=True)
    deleted_at = models.DateTimeField()
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # What was linked to it and its logs: for each app, what its deletion hook returned.
    links = OrderedJSONField()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["client", "-deleted_at", "-id"], name="deleted_consignment_by_client"
            ),
            models.Index(fields=["-deleted_at", "-id"], name="deleted_consignment_by_time"),
        ]


class LogColumns(TenantModel):
    """What a log keeps when its consignment is deleted."""

    barcode = models.CharField(max_length=MAX_BARCODE)
    # None where an older log of the client had the same key when keys were introduced.
    barcode_key = models.CharField(max_length=MAX_BARCODE_KEY, null=True, editable=False)
    barcode_search_key = SearchKeyField(
        of="barcode", is_compact=True, max_length=KEY_LENGTH_RATIO * MAX_BARCODE
    )
    length = models.DecimalField(max_digits=MEASURE_DIGITS, decimal_places=MEASURE_DECIMALS)
    breadth = models.DecimalField(max_digits=MEASURE_DIGITS, decimal_places=MEASURE_DECIMALS)
    height = models.DecimalField(max_digits=MEASURE_DIGITS, decimal_places=MEASURE_DECIMALS)
    volume = models.DecimalField(max_digits=14, decimal_places=3)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return self.barcode


class Log(LogColumns):
    """A timber log: length in metres, breadth and height in centimetres, volume in m³."""

    # The index `log_by_arrival` begins with this column.
    consignment = models.ForeignKey(
        Consignment, on_delete=models.CASCADE, related_name="logs", db_index=False
    )

    class Meta(TenantModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "barcode"], name="log_barcode_is_unique"),
            models.UniqueConstraint(
                fields=["client", "barcode_key"], name="log_barcode_key_is_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(length__gt=0, breadth__gt=0, height__gt=0),
                name="log_measures_are_positive",
            ),
        ]
        indexes = [
            models.Index(fields=["consignment", "id"], name="log_by_arrival"),
            models.Index(fields=["client", "barcode_search_key"], name="log_by_search_key"),
        ]


class DeletedLog(LogColumns):
    """A log of a consignment in the trash, under the id that it had."""

    id = models.BigIntegerField(primary_key=True)
    consignment = models.ForeignKey(
        DeletedConsignment, on_delete=models.CASCADE, related_name="logs"
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["client", "id"], name="deleted_log_by_client")]


class BarcodeCounter(models.Model):
    """The last number of a generated barcode of a client."""

    client = models.OneToOneField(
        "accounts.Client", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    last_number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.client}: {self.last_number}"


def lock_consignment(consignment: Consignment) -> Consignment:
    """Lock a consignment and return it reread; raise NotFound if it has been deleted."""
    return Consignment.unscoped.select_for_update().get_or_not_found(pk=consignment.pk)


def lock_log(log: Log) -> tuple[Consignment, Log]:
    """Lock a log's consignment, and so all its logs; return both reread.

    Raises NotFound if the log has been deleted.
    """
    consignments = Consignment.unscoped.select_for_update()
    consignment = consignments.filter(pk=log.consignment_id).first()
    reloaded = Log.unscoped.filter(pk=log.pk).first()
    if consignment is None or reloaded is None:
        raise NotFound("There is no such log.")
    return consignment, reloaded


def lock_targets(consignment: Consignment | None, log: Log | None = None) -> None:
    """Prevent the deletion of both; raise NotFound if one has been deleted."""
    ids = {consignment.pk} if consignment is not None else set()
    if log is not None:
        ids.add(log.consignment_id)
    rows = Consignment.unscoped.select_for_update().filter(pk__in=ids).order_by("pk")
    locked = set(rows.values_list("pk", flat=True)) if ids else set()
    if consignment is not None and consignment.pk not in locked:
        raise NotFound("There is no such consignment.")
    if log is not None and not Log.unscoped.filter(pk=log.pk, consignment_id__in=locked).exists():
        raise NotFound("There is no such log.")
