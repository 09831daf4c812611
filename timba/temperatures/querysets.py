"""Which totals count, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db.models import F, Max, Min, QuerySet, Sum

from timba.accounts.tenancy import TenantQuerySet
from timba.files.models import File

if TYPE_CHECKING:
    from timba.temperatures.models import CityTotals


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
