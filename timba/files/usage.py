"""Compares the bytes that subscriptions count with the sizes of the files, for checks and repairs.

The count itself is kept by `receiving.accept_files` and by the sweeper, when it erases a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models, transaction
from django.db.models.functions import Coalesce

from timba.accounts.models import Subscription
from timba.accounts.subscriptions import lock_subscription
from timba.db.transactions import retry_on_deadlock
from timba.files.models import File


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongCount:
    """A client whose subscription counts other bytes than its files have."""

    client_id: int
    counted: int
    actual: int


def find_wrong_counts() -> list[WrongCount]:
    """Return the clients whose count is wrong, by id, as of one moment."""
    sizes = _counted_files().filter(client=models.OuterRef("client"))
    total = sizes.order_by().values("client").annotate(total=models.Sum("size")).values("total")
    subscriptions = Subscription.objects.annotate(
        actual=Coalesce(models.Subquery(total), 0, output_field=models.BigIntegerField())
    )
    wrong = subscriptions.exclude(used_bytes=models.F("actual")).order_by("client_id")
    return [
        WrongCount(client_id=client_id, counted=counted, actual=actual)
        for client_id, counted, actual in wrong.values_list("client_id", "used_bytes", "actual")
    ]


@retry_on_deadlock
def recount(client_id: int) -> None:
    """Set the count of a client to the sizes of its files; uploads of the client wait meanwhile."""
    with transaction.atomic():
        subscription = lock_subscription(client_id)
        files = _counted_files().filter(client_id=client_id)
        subscription.used_bytes = files.aggregate(total=models.Sum("size"))["total"] or 0
        subscription.save(update_fields=["used_bytes"])


def _counted_files() -> models.QuerySet[File]:
    """Return every file that was accepted, deleted ones included: their bytes are not erased."""
    return File.unscoped.exclude(status=File.Status.RECEIVING)
