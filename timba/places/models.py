"""A client's numbered towns: a number exists by being used, a row only gives it a name."""

from __future__ import annotations

from django.db import models

from timba.accounts.tenancy import TenantModel

CITY_NUMBERS = range(1, 2**31)


class City(TenantModel):
    """The name that a client gave to one of its city numbers."""

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=100)

    class Meta(TenantModel.Meta):
        verbose_name = "city"
        verbose_name_plural = "cities"
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="city_number_is_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"
