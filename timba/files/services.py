"""The write operations on existing files: link, retry and delete them."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any, Final, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.models import Consignment, Log, lock_targets
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Conflict, Invalid, NotFound
from timba.events.outbox import Event, publish
from timba.failpoints import failpoint
from timba.files.events import file_event
from timba.files.kinds import TEMPERATURES
from timba.files.models import File, FileQuerySet
from timba.files.processors.base import HandlesDeletion
from timba.files.profiles import about_every_file, check_read_as
from timba.files.registry import processors
from timba.files.tasks import notify_workers

NOT_AGAIN: Final = (
    "Only a file in FAILURE, or a dry run, can be tried again, and a temperature file in SUCCESS "
    "with “read_as”."
)
NO_DRY_RUN: Final = "There are no dry runs of files of kind {kind}, only of tallies."
_BATCH: Final = 100


class Links(TypedDict, total=False):
    """What a file can be linked to; a link that is left out stays as it is."""

    consignment: Consignment | None
    log: Log | None


@retry_on_deadlock
def link_file(*, actor: User, file: File, **links: Unpack[Links]) -> File:
    """Link a file to a consignment and a log; raise NotFound for those of another client.

    Where `log` is left out, the file keeps its log only if that belongs to the new consignment.
    """
    require(actor, Permission.WRITE_FILES, client=file.client)
    consignment, log = links.get("consignment"), links.get("log")
    if any(link is not None and link.client_id != file.client_id for link in (consignment, log)):
        raise NotFound("There is no such consignment or log.")
    with write_transaction():
        lock_targets(consignment, log)
        file = _lock_file(file)
        if "consignment" in links and file.log is not None:
            keeps_log = file.log.consignment_id == getattr(consignment, "pk", None)
            links.setdefault("log", file.log if keeps_log else None)
        if apply_changes(file, links):
            file.save(update_fields=list(links))
            publish(file_event("update", file, actor=actor))
    return file


def check_dry_run(kind: str) -> None:
    """Raise Invalid for a kind of which there are no dry runs."""
    if not processors()[kind].takes_dry_run:
        raise Invalid(fields={"dry_run": [NO_DRY_RUN.format(kind=kind)]})


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
        keeps_result = read_as is not None and file.can_be_read_again
        if not (file.can_be_retried or keeps_result):
            raise Conflict(NOT_AGAIN)
        if read_as is not None:
            answers = check_read_as(file.kind, read_as, earlier=file.read_as)
            setattr(file, "next_read_as" if keeps_result else "read_as", answers)
            if about_every_file(read_as):
                file.answered_by = actor
        if dry_run is None:
            is_seen = file.awaits_confirmation and read_as is None
            dry_run = not file.records and not is_seen
        file.is_confirmed = file.dry_run and not dry_run
        file.dry_run = file.dry_run or dry_run
        _make_pending(file, keeps_result=keeps_result)
        failpoint("services.retry_written")
        publish(file_event("update", file, actor=actor))
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
        _make_pending(file)
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
                _make_pending(file)
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
    with transaction.atomic():
        file = _lock_file(file)
        event = file_event("delete", file, actor=actor)
        processor = processors()[file.kind]
        if isinstance(processor, HandlesDeletion):
            processor.on_delete(file)
        file.deleted_at, file.live_digest, file.queue = timezone.now(), None, ""
        # A worker that is processing the file can no longer write.
        file.fencing_token += 1
        file.save(update_fields=["deleted_at", "live_digest", "queue", "fencing_token"])
        failpoint("services.tombstone_written")
        publish(event)


def unlink_files(*, actor: User, consignment: Consignment, log: Log | None = None) -> list[Event]:
    """Lock the files of a log, or of a consignment and all its logs; return their update events.

    Part of the deletion of that log or consignment, which sets the files' columns to null through
    the foreign keys and publishes these events: see `CONSIGNMENT_DELETION_HOOKS`.
    """
    logs = Log.unscoped.filter(consignment=consignment)
    conditions = {"log": Q(log__in=logs), "consignment": Q(consignment=consignment)}
    if log is not None:
        conditions = {"log": Q(log=log)}
    unlinked: dict[uuid.UUID, File] = {}
    for field, condition in conditions.items():
        for file in File.unscoped.live().filter(condition).select_for_update().order_by("pk"):
            setattr(unlinked.setdefault(file.pk, file), field, None)
    return [file_event("update", file, actor=actor) for file in unlinked.values()]


def _lock_file(file: File) -> File:
    rows = File.unscoped.live().select_for_update()
    return rows.get_or_not_found(pk=file.pk)


def _make_pending(file: File, *, keeps_result: bool = False) -> None:
    file.status, file.attempts = File.Status.PENDING, 0
    file.progress, file.rows_read, file.error = 0.0, None, ""
    if not keeps_result:
        file.run, file.result, file.asks = None, None, None
    file.processed_at = file.lease_until = None
    # A worker whose lease expired, and that resumes, can no longer write.
    file.fencing_token += 1
    file.notified_at = timezone.now()
    file.queue = processors()[file.kind].queue_for(file.size)
    file.live_digest = file.sha256 if file.kind == TEMPERATURES else None
    try:
        with transaction.atomic():
            file.save()
    except IntegrityError:
        raise Conflict("The same readings count already: they are in another file.") from None
