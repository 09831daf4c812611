"""The trash: deleted files, which can be restored until their erasure has begun.

`delete_file` only marks the row. After TIMBA_TRASH_DAYS the sweeper claims the row by
`erasing_since`, then erases the objects, then the row.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from django.db import models, transaction

from timba.accounts.authorization import require
from timba.accounts.models import User
from timba.accounts.permissions import Permission
from timba.consignments.models import Consignment, Log
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict, Unavailable
from timba.events.outbox import publish
from timba.files import changes
from timba.files.changes import ERASED
from timba.files.models import HAS_OBJECT, Derivative, File, FileQuerySet
from timba.files.registry import processors
from timba.files.storage import UNREACHABLE, find_missing
from timba.files.tasks import notify_workers


def deleted_files(user: User) -> FileQuerySet:
    """Return the deleted files that `user` may see: not those that are being erased."""
    files: FileQuerySet = restorable_files(user)
    return files.filter(deleted_at__isnull=False, erasing_since__isnull=True)


def restorable_files(user: User) -> FileQuerySet:
    """Return the files that `user` may see, deleted or not."""
    rows: FileQuerySet = File.unscoped.all()
    return rows.restorable_by(user)


def get_restorable(user: User, pk: Any) -> File:
    """Return a file, deleted or not, with its client; raise NotFound as for any other row."""
    return restorable_files(user).select_related("client__subscription").get_or_not_found(pk=pk)


def restore_file(*, actor: User, file: File) -> File:
    """Take a file out of the trash, with its result, and with its place if that is still there.

    One that was PENDING waits for a worker again; so does one whose derived objects are lost, if
    its kind can be processed again without another outcome. Raises Conflict where the file is not
    in the trash, where its bytes are gone, and where its readings count in another file.
    """
    require(actor, Permission.WRITE_FILES, client=file.client)
    return _restore(actor, file, LostObjects.of([file.pk]))


@retry_on_deadlock
def _restore(actor: User, file: File, lost: LostObjects) -> File:
    with write_transaction():
        lock_places([file.pk])
        rows = File.unscoped.select_for_update()
        file = rows.get_or_not_found(pk=file.pk)
        lost.check(file)
        publish(changes.restore(file, actor=actor, is_derived_again=file.pk in lost.derived))
        if not file.processed:
            transaction.on_commit(partial(notify_workers, [file.pk]), robust=True)
    return file


def lock_places(file_ids: Iterable[uuid.UUID]) -> None:
    """Lock the consignments of files, and of their logs, before the files are locked.

    A deletion of one of them therefore tells of each file that is linked to it, or it has ended,
    and the file is linked to it no longer.
    """
    files = File.unscoped.filter(pk__in=file_ids).order_by()
    logs = Log.unscoped.filter(pk__in=files.values("log"))
    linked = models.Q(pk__in=files.values("consignment")) | models.Q(
        pk__in=logs.values("consignment")
    )
    rows = Consignment.unscoped.select_for_update().filter(linked).order_by("pk")
    list(rows.values_list("pk"))


@dataclass(frozen=True, slots=True)
class LostObjects:
    """Files whose original is not in the store, and files whose derived objects are not."""

    originals: Collection[uuid.UUID]
    derived: Collection[uuid.UUID]

    @classmethod
    def of(cls, file_ids: Collection[uuid.UUID]) -> Self:
        """Look up the objects of files, outside any transaction; raise Unavailable."""
        again = [kind for kind, processor in processors().items() if processor.counts_once]
        files = File.unscoped.filter(pk__in=file_ids, erasing_since__isnull=True)
        derivatives = Derivative.objects.filter(
            HAS_OBJECT, file__in=files.values("pk"), file__kind__in=again
        )
        originals = dict(files.values_list("storage_key", "pk"))
        derived = dict(derivatives.values_list("storage_key", "file_id"))
        try:
            missing = find_missing([*originals, *derived])
        except OSError as error:
            raise Unavailable(UNREACHABLE) from error
        return cls(
            originals={originals[key] for key in missing & originals.keys()},
            derived={derived[key] for key in missing & derived.keys()},
        )

    def check(self, file: File) -> None:
        """Raise Conflict where the original of a deleted file is lost."""
        if file.deleted_at is not None and file.pk in self.originals:
            raise Conflict(ERASED)
