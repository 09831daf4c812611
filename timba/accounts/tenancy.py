"""Tenancy: the managers and querysets that separate the clients' rows. They fail closed.

`Model.objects` returns no rows; `Model.objects.visible_to(user)` returns those of the user's
client. `Model.unscoped` returns the rows of all clients. It is for code that acts for no user
(processing, sweeping) and for locking a row that was found through `visible_to`.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from timba.db.compiled_queries import CompiledRows
from timba.errors import NotFound

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Rows that belong to a client."""

    def visible_to(self, user: Any) -> Self:
        """Return the rows that `user` may see: staff see all, anonymous and inactive users none."""
        if not _sees_rows(user):
            return self.none()
        return self if user.is_staff else self.filter(self._of_client(user.client_id))

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(client_id=client_id)

    def get_or_not_found(self, **lookup: Any) -> M:
        """Return one row; raise NotFound, with the same message for other clients' rows.

        An id that the column cannot hold is not found either.
        """
        try:
            return self.get(**lookup)
        except (ObjectDoesNotExist, OverflowError, ValueError):
            raise _not_found(self.model) from None


class ScopedManager(models.Manager[M]):
    """Returns no rows except through `visible_to`."""

    def get_queryset(self) -> models.QuerySet[M]:
        return TenantQuerySet(self.model, using=self._db).none()

    def visible_to(self, user: Any) -> TenantQuerySet[M]:
        """Return the rows that `user` may see."""
        rows: TenantQuerySet[M] = self.model.unscoped.all()  # type: ignore[attr-defined]
        return rows.visible_to(user)

    def get_visible(self, user: Any, pk: Any, *related: str) -> M:
        """Return the row with this id and the `related` ones, by a query that is compiled once.

        Raises NotFound, with the same message for rows that `user` may not see, and for an id that
        the column cannot hold.
        """
        rows: list[M] = []
        if _sees_rows(user):
            query = _query_by_id(self.model, related, is_staff=user.is_staff)
            with suppress(OverflowError, ValueError):
                rows = query.get(pk) if user.is_staff else query.get(pk, user.client_id)
        if not rows:
            raise _not_found(self.model)
        return rows[0]


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


class _Viewer(NamedTuple):
    """Sees what every user with the same values sees."""

    client_id: Any
    is_staff: bool
    is_active: bool = True


def _sees_rows(user: Any) -> bool:
    """Whether a user may see any rows: anonymous, inactive and clientless users may not."""
    if isinstance(user, AnonymousUser) or not getattr(user, "is_active", False):
        return False
    return bool(user.is_staff) or user.client_id is not None


@cache
def _query_by_id(model: type[M], related: tuple[str, ...], *, is_staff: bool) -> CompiledRows[M]:
    """Return the query of a visible row by its id and, except for staff, the user's client."""

    def build(pk: Any, client_id: Any = None) -> models.QuerySet[M]:
        viewer = _Viewer(client_id=client_id, is_staff=is_staff)
        rows: TenantQuerySet[M] = model.objects.visible_to(viewer)  # type: ignore[attr-defined]
        return (rows.select_related(*related) if related else rows).filter(pk=pk)

    fields = [model._meta.pk] if is_staff else [model._meta.pk, models.BigIntegerField()]
    return CompiledRows(build, *fields)


def _not_found(model: type[models.Model]) -> NotFound:
    return NotFound(f"There is no such {model._meta.verbose_name}.")
