"""Temperatures in the database: totals by file and city, and a data version for caches.

The readings themselves are Parquet objects: see the package `readings`.
"""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import F, Max, Min, Q, QuerySet, Sum

from timba.accounts.tenancy import ScopedManager, TenantModel, TenantQuerySet
from timba.files.models import File


def is_counting(file: str = "") -> Q:
    """Return the condition of files whose run counts, if any; `file` is a prefix of their fields.

    A PENDING file has a run only while it is read again: until then its earlier one counts.
    """
    statuses = [File.Status.SUCCESS, File.Status.PENDING]
    return Q((f"{file}status__in", statuses), (f"{file}deleted_at__isnull", True))


class CityTotalsQuerySet(TenantQuerySet["CityTotals"]):
    """Totals by file and city."""

    def current(self) -> Self:
        """Return the totals of files that succeeded with the same run and are not deleted."""
        return self.filter(is_counting("file__"), file__run=F("run"))

    def visible_to(self, user: Any) -> Self:
        return super().visible_to(user).current()

    def by_city(self) -> QuerySet[CityTotals, Any]:
        """Return a named tuple for each city: its number, and the totals of its rows together.

        `total`, `lowest` and `highest` are hundredths of a degree Celsius.
        """
        sums = {
            "readings": Sum("count"),
            "total": Sum("sum_hundredths"),
            "lowest": Min("min_hundredths"),
            "highest": Max("max_hundredths"),
            "first": Min("first_at"),
            "last": Max("last_at"),
        }
        return self.values("city_id").annotate(**sums).values_list("city_id", *sums, named=True)


class CityTotals(TenantModel):
    """The totals of one city in one processing run of one file.

    Rows are written while the file is being processed and count only once the file has succeeded
    with that run: see `CityTotalsQuerySet.current`. Temperatures are in hundredths of a degree
    Celsius.
    """

    # The unique constraint begins with the file, so it serves as its index.
    file = models.ForeignKey(File, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.PositiveIntegerField()
    city_id = models.PositiveIntegerField()
    count = models.BigIntegerField()
    sum_hundredths = models.BigIntegerField()
    min_hundredths = models.IntegerField()
    max_hundredths = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    unscoped = models.Manager.from_queryset(CityTotalsQuerySet)()  # type: ignore[misc]
    objects = ScopedManager["CityTotals"]()  # type: ignore[misc]

    class Meta(TenantModel.Meta):
        verbose_name_plural = "city totals"
        constraints = [
            models.UniqueConstraint(
                fields=["file", "run", "city_id"], name="city_has_one_total_in_a_run"
            ),
        ]
        indexes = [models.Index(fields=["client", "city_id"], name="city_totals_by_city")]

    def __str__(self) -> str:
        return f"city {self.city_id} in {self.file_id}, run {self.run}"


class DataVersion(TenantModel):
    """Identifies the state of the data on which the temperature statistics of a client depend.

    Every change sets a new version in its own transaction, so a result computed after reading a
    version is valid for as long as that version is current. Versions are random instead of counted:
    after a backup is restored, no version can recur that stood for other data.
    """

    version = models.UUIDField(default=uuid.uuid4)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["client"], name="client_has_one_data_version"),
        ]

    def __str__(self) -> str:
        return str(self.version)
