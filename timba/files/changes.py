"""Changes of one file whose row the caller has locked.

Each saves the row and returns its event, which the caller publishes last in the same transaction.
A change that raises has saved nothing.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

from django.db import IntegrityError, transaction
from django.utils import timezone

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.db.transactions import apply_changes
from timba.errors import Conflict, Invalid, NotFound
from timba.events.outbox import Event
from timba.failpoints import failpoint
from timba.files.events import file_event
from timba.files.models import File
from timba.files.processors.base import HandlesDeletion
from timba.files.profiles import about_every_file, check_read_as
from timba.files.registry import processors

NO_DRY_RUN: Final = "There are no dry runs of files of kind {kind}, only of tallies."
NOT_DELETED: Final = "The file is not in the trash."
ERASED: Final = "Its bytes are gone, so it cannot be restored. Upload the file again."


class CannotBeRetried(Conflict):
    """Only a file in FAILURE, or a dry run, can be tried again."""


class Links(TypedDict, total=False):
    """What a file can be linked to; a link that is left out stays as it is."""

    consignment: Consignment | None
    log: Log | None


def link(file: File, links: Links, *, actor: User) -> Event | None:
    """Link a file, as `services.link_file` does; return None where nothing changes.

    The consignment and that of the log are locked already.
    """
    consignment, log = links.get("consignment"), links.get("log")
    if any(place is not None and place.client_id != file.client_id for place in (consignment, log)):
        raise NotFound("There is no such consignment or log.")
    if "consignment" in links and "log" not in links and file.log is not None:
        keeps_log = file.log.consignment_id == getattr(consignment, "pk", None)
        links = Links(consignment=consignment, log=file.log if keeps_log else None)
    is_changed = apply_changes(file, links)
    if "log" in links or ("consignment" in links and consignment is None):
        # What the result says of a log that was found is over, and none is found again.
        is_changed |= file.linked_by in {File.LinkedBy.NAME, File.LinkedBy.CODE}
        file.linked_by = File.LinkedBy.USER
    file.save(update_fields=[*links, "linked_by"])
    return file_event("update", file, actor=actor) if is_changed else None


def check_dry_run(kind: str) -> None:
    """Raise Invalid for a kind of which there are no dry runs."""
    if not processors()[kind].takes_dry_run:
        raise Invalid(fields={"dry_run": [NO_DRY_RUN.format(kind=kind)]})


def retry(file: File, *, actor: User, read_as: Any = None, dry_run: bool | None = None) -> Event:
    """Make a file PENDING again, as `services.retry_file` does."""
    keeps_result = read_as is not None and file.can_be_read_again
    if not (file.can_be_retried or keeps_result):
        raise CannotBeRetried
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
    make_pending(file, keeps_result=keeps_result)
    failpoint("services.retry_written")
    return file_event("update", file, actor=actor)


def delete(file: File, *, actor: User) -> Event:
    """Move a file to the trash; return its event, which has its last state."""
    event = file_event("delete", file, actor=actor)
    processor = processors()[file.kind]
    if isinstance(processor, HandlesDeletion):
        processor.on_delete(file)
    file.deleted_at, file.deleted_by = timezone.now(), actor
    file.live_digest, file.queue = None, ""
    # A worker that is processing the file can no longer write.
    file.fencing_token += 1
    fields = ["deleted_at", "deleted_by", "live_digest", "queue", "fencing_token"]
    file.save(update_fields=fields)
    failpoint("services.tombstone_written")
    return event


def restore(file: File, *, actor: User, is_derived_again: bool = False) -> Event:
    """Take a file out of the trash, as it was; a PENDING one waits for a worker again.

    With `is_derived_again` it is processed again, because what was derived from it is lost.
    Raises Conflict for a file that is not in the trash, whose erasure has begun, or whose readings
    count in another file.
    """
    if file.deleted_at is None:
        raise Conflict(NOT_DELETED)
    if file.erasing_since is not None:
        raise Conflict(ERASED)
    file.deleted_at = file.deleted_by = None
    processor = processors()[file.kind]
    if is_derived_again and file.is_read_again:
        file.read_as, file.next_read_as = file.next_read_as, None
    if is_derived_again or not file.processed:
        make_pending(file, keeps_result=file.next_read_as is not None)
    else:
        counts = processor.counts_once and file.status == File.Status.SUCCESS
        file.live_digest = file.sha256 if counts else None
        _save_digest(file)
    if isinstance(processor, HandlesDeletion):
        processor.on_restore(file)
    failpoint("services.restored")
    return file_event("create", file, actor=actor)


def make_pending(file: File, *, keeps_result: bool = False) -> None:
    """Let a worker process a file, from its start; the caller notifies one on commit.

    Raises Conflict where its bytes count in another file.
    """
    file.status, file.attempts = File.Status.PENDING, 0
    file.progress, file.rows_read, file.error = 0.0, None, ""
    if not keeps_result:
        file.run, file.result, file.asks, file.has_preview = None, None, None, False
    file.processed_at = file.lease_until = None
    # A worker whose lease expired, and that resumes, can no longer write.
    file.fencing_token += 1
    file.notified_at = timezone.now()
    processor = processors()[file.kind]
    file.queue = processor.queue_for(file.size)
    file.live_digest = file.sha256 if processor.counts_once else None
    _save_digest(file)


def _save_digest(file: File) -> None:
    """Save a file; raise Conflict where its `live_digest` is that of another one."""
    try:
        with transaction.atomic():
            file.save()
    except IntegrityError:
        twins = File.unscoped.filter(client=file.client_id, live_digest=file.live_digest)
        name = twins.values_list("name", flat=True).first()
        other = "another file" if name is None else f"“{name}”"
        raise Conflict(f"The same readings count already: they are in {other}.") from None
