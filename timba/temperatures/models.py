"""What the database keeps of temperatures: totals by file and city, and a mark that changes."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import F, Max, Min, QuerySet, Sum

from timba.accounts.tenancy import ScopedManager, TenantModel, TenantQuerySet
from timba.files.models import File


class CityTotalsQuerySet(TenantQuerySet["CityTotals"]):
    """Totals by file and city."""

    def counting(self) -> Self:
        """Narrow to the totals of whole files: those that succeeded with this run and are there."""
        return self.filter(
            file__status=File.Status.SUCCESS, file__deleted_at__isnull=True, file__run=F("run")
        )

    def visible_to(self, user: Any) -> Self:
        return super().visible_to(user).counting()

    def by_city(self) -> QuerySet[CityTotals, Any]:
        """Return a named tuple for each city: its number and what its rows add up to."""
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
    """The totals of one city in one run over one file.

    Rows are written while the file is still being read and exist for nobody until the file
    succeeds with that run: see `CityTotalsQuerySet.counting`.
    """

    # The unique constraint begins with the file and is its index too.
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
    """Marks the state of all that a client's temperature answers are made of.

    A new mark is set in the transaction of every change, so an answer that was made after reading
    a mark stays true for as long as the mark stands. Marks are random, not counted: no restored
    backup can ever bring one back that stood for something else.
    """

    version = models.UUIDField(default=uuid.uuid4)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["client"], name="client_has_one_data_version"),
        ]

    def __str__(self) -> str:
        return str(self.version)
