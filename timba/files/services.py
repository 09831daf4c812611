"""The write operations on existing files: link, retry and delete them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Unpack

from django.db import transaction

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.models import lock_targets
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict
from timba.events.outbox import publish
from timba.files import changes
from timba.files.changes import Links, check_dry_run, make_pending
from timba.files.events import file_event
from timba.files.models import File, FileQuerySet
from timba.files.processors.base import HandlesDeletion
from timba.files.profiles import check_read_as
from timba.files.registry import processors
from timba.files.tasks import notify_workers

_BATCH: Final = 100


@retry_on_deadlock
def link_file(*, actor: User, file: File, **links: Unpack[Links]) -> File:
    """Link a file to a consignment and a log; raise NotFound for those of another client.

    Where `log` is left out, the file keeps its log only if that belongs to the new consignment.
    A log that a user has removed, or taken the file away from, is not found again for it.
    """
    require(actor, Permission.WRITE_FILES, client=file.client)
    with write_transaction():
        lock_targets(links.get("consignment"), links.get("log"))
        file = _lock_file(file)
        event = changes.link(file, links, actor=actor)
        if event is not None:
            publish(event)
    return file


@retry_on_deadlock
def retry_file(
    *, actor: User, file: File, read_as: Any = None, dry_run: bool | None = None
) -> File:
    """Process a file in FAILURE, or a dry run, again; raise Conflict for any other.

    `read_as` answers the file's questions, in addition to earlier answers. With it a temperature
    file in SUCCESS is read again too, and its result stands until the new one replaces it. Where
    `dry_run` is not given, a dry run that succeeded is confirmed unless it gets answers; a file in
    FAILURE is recorded next, or not, as before. Raises Invalid for what the kind of file does not
    take.
    """
    require(actor, Permission.WRITE_FILES, client=file.client)
    if dry_run:
        check_dry_run(file.kind)
    if read_as is not None:
        check_read_as(file.kind, read_as)
    with transaction.atomic():
        file = _lock_file(file)
        publish(changes.retry(file, actor=actor, read_as=read_as, dry_run=dry_run))
        transaction.on_commit(partial(notify_workers, [file.pk]), robust=True)
    return file


@retry_on_deadlock
def process_again(file: File) -> None:
    """Process a settled file again from its original, because what was derived from it is lost.

    Raises NotFound for a deleted file, and Conflict for one that is being processed.
    """
    with transaction.atomic():
        file = _lock_file(file)
        if not file.processed:
            raise Conflict("The file is being processed.")
        processor = processors()[file.kind]
        if isinstance(processor, HandlesDeletion):
            processor.on_delete(file)
        make_pending(file)
        publish(file_event("update", file, actor=None))
        transaction.on_commit(partial(notify_workers, [file.pk]), robust=True)


def retry_failed_files(*, actor: User, client: Client) -> int:
    """Process all of a client's failed files again, in small transactions; return how many.

    Temperature files whose bytes already count in another file are left out, and files that wait
    for answers to their questions.
    """
    require(actor, Permission.WRITE_FILES, client=client)
    failed = File.unscoped.live().filter(client=client, status=File.Status.FAILURE)
    file_ids = list(failed.order_by("uploaded_at", "pk").values_list("pk", flat=True))
    return sum(
        _retry_batch(failed.filter(pk__in=file_ids[start : start + _BATCH]), actor=actor)
        for start in range(0, len(file_ids), _BATCH)
    )


@retry_on_deadlock
def _retry_batch(failed: FileQuerySet, *, actor: User) -> int:
    retried = []
    with transaction.atomic():
        for file in failed.select_for_update().order_by("uploaded_at", "pk"):
            if (file.result or {}).get("questions"):
                continue
            try:
                make_pending(file)
            except Conflict:
                continue
            retried.append(file)
        if retried:
            publish(*(file_event("update", file, actor=actor) for file in retried))
            transaction.on_commit(
                partial(notify_workers, [file.pk for file in retried]), robust=True
            )
    return len(retried)


@retry_on_deadlock
def delete_file(*, actor: User, file: File) -> None:
    """Delete a file; its row and bytes stay in the trash for TIMBA_TRASH_DAYS."""
    require(actor, Permission.WRITE_FILES, client=file.client)
    with write_transaction():
        publish(changes.delete(_lock_file(file), actor=actor))


def _lock_file(file: File) -> File:
    rows = File.unscoped.live().select_for_update()
    return rows.get_or_not_found(pk=file.pk)
