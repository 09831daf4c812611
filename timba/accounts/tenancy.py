"""Who sees which rows: the one scoped queryset, fail-closed, that every client's noun uses.

`Model.objects` shows nothing until it is told for whom: `Model.objects.visible_to(user)`.
`Model.unscoped` sees every client's rows; it is for code that acts for no user (processing,
sweeping, locking a row that was found through `visible_to`) and says so by its name.
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
        """Narrow to the rows that `user` may see: staff see all, strangers nothing."""
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
        """Return the one row; raise NotFound with the same words for foreign and absent ones.

        An id that no column can hold names nothing either.
        """
        noun = self.model._meta.verbose_name
        try:
            return self.get(**lookup)
        except (ObjectDoesNotExist, OverflowError, ValueError):
            raise NotFound(f"There is no such {noun}.") from None


class ScopedManager(models.Manager[M]):
    """Shows nothing but what is asked for through `visible_to`."""

    def get_queryset(self) -> models.QuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).none()

    def visible_to(self, user: Any) -> TenantQuerySet[M]:
        """Return the rows that `user` may see."""
        rows: TenantQuerySet[M] = self.model.unscoped.all()  # type: ignore[attr-defined]
        return rows.visible_to(user)


class TenantModel(models.Model):
    """A row of one client; some index or unique constraint of each such model begins with it."""

    client = models.ForeignKey(
        "accounts.Client", on_delete=models.PROTECT, related_name="+", db_index=False
    )

    unscoped = models.Manager.from_queryset(TenantQuerySet)()
    objects = ScopedManager()

    class Meta:
        abstract = True
        default_manager_name = "unscoped"
