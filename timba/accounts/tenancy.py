"""Tenancy: the managers and querysets that separate the clients' rows. They fail closed.

`Model.objects` returns no rows; `Model.objects.visible_to(user)` returns those of the user's
client. `Model.unscoped` returns the rows of all clients. It is for code that acts for no user
(processing, sweeping) and for locking a row that was found through `visible_to`.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from timba.errors import NotFound

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Rows that belong to a client."""

    def visible_to(self, user: Any) -> Self:
        """Return the rows that `user` may see: staff see all, anonymous and inactive users none."""
        if isinstance(user, AnonymousUser) or not getattr(user, "is_active", False):
            return self.none()
        if user.is_staff:
            return self
        if user.client_id is None:
            return self.none()
        return self.filter(self._of_client(user.client_id))

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(client_id=client_id)

    def get_or_not_found(self, **lookup: Any) -> M:
        """Return one row; raise NotFound, with the same message for other clients' rows.

        An id that the column cannot hold is not found either.
        """
        noun = self.model._meta.verbose_name
        try:
            return self.get(**lookup)
        except (ObjectDoesNotExist, OverflowError, ValueError):
            raise NotFound(f"There is no such {noun}.") from None


class ScopedManager(models.Manager[M]):
    """Returns no rows except through `visible_to`."""

    def get_queryset(self) -> models.QuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).none()

    def visible_to(self, user: Any) -> TenantQuerySet[M]:
        """Return the rows that `user` may see."""
        rows: TenantQuerySet[M] = self.model.unscoped.all()  # type: ignore[attr-defined]
        return rows.visible_to(user)


class TenantModel(models.Model):
    """A row of one client.

    Each model needs an index or unique constraint that begins with `client`.
    """

    client = models.ForeignKey(
        "accounts.Client", on_delete=models.PROTECT, related_name="+", db_index=False
    )

    unscoped = models.Manager.from_queryset(TenantQuerySet)()
    objects = ScopedManager()

    class Meta:
        abstract = True
        default_manager_name = "unscoped"
