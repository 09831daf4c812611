"""Cities. Any number in `CITY_NUMBERS` can be used; a row gives a client's number a name."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import OuterRef, Subquery

from timba.accounts.tenancy import ScopedManager, TenantModel, TenantQuerySet

MAX_CITY_NAME = 100


class CityQuerySet(TenantQuerySet["City"]):
    """Cities, and their names by number."""

    def names(self, *, client_id: int, numbers: Iterable[int]) -> dict[int, str]:
        """Return the names of a client's cities by number; unnamed cities are left out."""
        rows = self.filter(client_id=client_id, number__in=numbers)
        return dict(rows.values_list("number", "name"))

    def name_subquery(self, *, client_id: str, number: str) -> Subquery:
        """Return an expression for the name of the city that these columns of a row refer to."""
        cities = self.filter(client_id=OuterRef(client_id), number=OuterRef(number))
        return Subquery(cities.values("name")[:1])


class City(TenantModel):
    """The name of a client's city number."""

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=MAX_CITY_NAME)

    unscoped = models.Manager.from_queryset(CityQuerySet)()  # type: ignore[misc]
    objects = ScopedManager["City"]()  # type: ignore[misc]

    class Meta(TenantModel.Meta):
        verbose_name = "city"
        verbose_name_plural = "cities"
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="city_number_is_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"
