"""Consignments and their logs: what the gate writes down when a lorry comes in."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from timba.accounts.tenancy import TenantModel
from timba.consignments.measures import MAX_BARCODE, MEASURE_DECIMALS, MEASURE_DIGITS

MAX_CONSIGNMENT_NAME = 100
MAX_VEHICLE_NUMBER = 30


class Consignment(TenantModel):
    """A lorry load of logs; its totals are kept with every log that comes or goes."""

    class Type(models.TextChoices):
        HARDWOOD = "hardwood"
        PINEWOOD = "pinewood"

    name = models.CharField(max_length=MAX_CONSIGNMENT_NAME)
    type = models.CharField(max_length=20, choices=Type)
    vehicle_number = models.CharField(max_length=MAX_VEHICLE_NUMBER, blank=True)
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
        constraints = [
            models.UniqueConstraint(fields=["client", "name"], name="consignment_name_is_unique"),
            models.CheckConstraint(
                condition=models.Q(type__in=["hardwood", "pinewood"]),
                name="consignment_type_is_known",
            ),
        ]
        indexes = [models.Index(fields=["client", "-id"], name="consignment_by_client")]

    def __str__(self) -> str:
        return self.name


class Log(TenantModel):
    """A timber log: length in metres, breadth and height in centimetres, volume in m³."""

    # Its index is the one by arrival, which begins with it.
    consignment = models.ForeignKey(
        Consignment, on_delete=models.CASCADE, related_name="logs", db_index=False
    )
    barcode = models.CharField(max_length=MAX_BARCODE)
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
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "barcode"], name="log_barcode_is_unique"),
            models.CheckConstraint(
                condition=models.Q(length__gt=0, breadth__gt=0, height__gt=0),
                name="log_measures_are_positive",
            ),
        ]
        indexes = [models.Index(fields=["consignment", "id"], name="log_by_arrival")]

    def __str__(self) -> str:
        return self.barcode


class BarcodeCounter(models.Model):
    """The last number that was made into a barcode for a client."""

    client = models.OneToOneField(
        "accounts.Client", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    last_number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.client}: {self.last_number}"
