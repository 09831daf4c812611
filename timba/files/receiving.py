"""Receives uploads so that a file is stored whole or not at all.

An intent row names the object before its first byte is written. The bytes are hashed while they
are written, and are durable before the upload is acknowledged. Then one short transaction makes
the file PENDING and publishes its event. A crash at any point leaves a row that names the leftover
object, and the sweeper deletes both. No transaction is open while bytes are transferred.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from timba.accounts.authorization import require
from timba.accounts.models import Client, Subscription, User
from timba.accounts.permissions import Permission
from timba.accounts.subscriptions import lock_subscription
from timba.consignments.models import Consignment, Log, lock_targets
from timba.db.errors import is_disk_full, log_outage
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import DiskFull, NotFound, QuotaExceeded, Unavailable
from timba.events.outbox import publish
from timba.failpoints import failpoint
from timba.files.disk import check_disk_space
from timba.files.entry import UploadRejected, check_name, check_size, quota_rejection
from timba.files.events import file_event
from timba.files.kinds import HEAD_BYTES, Detected, UnknownKind, detect
from timba.files.models import File
from timba.files.processors.base import ObjectWriter
from timba.files.registry import processors, sniffers
from timba.files.storage import StorageUnavailable, new_key, store
from timba.files.tasks import notify_workers

STORAGE_UNAVAILABLE: Final = "Files cannot be stored just now. Try again in a moment."
TOOK_TOO_LONG: Final = "The upload stood still for too long and was given up. Send it again."
# So many bytes of an upload are written between two checks of the disk, which cost 30 µs each.
_DISK_CHECK_BYTES: Final = 256 * 1024
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """An accepted file; `duplicate` when a file with the same readings was accepted before."""

    file: File
    duplicate: bool = False


class Upload:
    """One file on its way in: `write` its chunks, `finish` and `identify` it, then `accept_files`.

    Until it is accepted it can be discarded. Methods that write raise DiskFull before the disk is
    full, and Unavailable when the store does not take the bytes. `field` and `number` are its field
    and place in a form, if any.
    """

    def __init__(
        self, *, name: str, kind: str | None = None, field: str = "", number: int = 1
    ) -> None:
        """Create the intent row and open the object; raise UploadRejected for an invalid name.

        With `kind`, a file of another kind is rejected as soon as its first bytes show it.
        """
        check_name(name)
        check_disk_space()
        self.field = field
        self.number = number
        self.store_is_unavailable = False
        self.row = File.unscoped.create(name=name, storage_key=new_key())
        failpoint("receiving.intent_committed")
        self._kind = kind
        self._writer: ObjectWriter | None = None
        with self._storing():
            self._writer = store().create(self.row.storage_key)
        self._digest = hashlib.sha256()
        self._head = b""

    @property
    def id(self) -> uuid.UUID:
        return self.row.pk

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def sha256(self) -> str:
        return self.row.sha256

    def write(self, chunk: bytes) -> None:
        """Store the next bytes; raise UploadRejected once there are too many."""
        before = self.row.size
        self.row.size += len(chunk)
        check_size(self.name, self.row.size)
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES and self._kind is not None:
                self.identify(kind=self._kind)
        self._digest.update(chunk)
        if before // _DISK_CHECK_BYTES != self.row.size // _DISK_CHECK_BYTES:
            check_disk_space()
        with self._storing() as writer:
            writer.write(chunk)
            failpoint("receiving.partly_written")

    def finish(self) -> None:
        """Make the bytes durable; raise UploadRejected for an empty file."""
        if not self.row.size:
            raise UploadRejected(self.name, f"“{self.name}” is empty.")
        with self._storing() as writer:
            writer.commit()
            failpoint("receiving.object_stored")
        self.row.sha256 = self._digest.hexdigest()

    def identify(self, *, kind: str | None = None) -> None:
        """Detect the file's kind; raise UploadRejected where it is unknown or not `kind`."""
        detected = identify(self.name, self._head, kind=kind)
        self.row.kind, self.row.media_type = detected.kind, detected.media_type

    def close(self) -> None:
        """Do nothing: a request closes its files at its end, and the bytes are in the store."""

    def abort(self) -> None:
        """Drop bytes that are not durable yet."""
        if self._writer is not None:
            self._writer.abort()

    @contextlib.contextmanager
    def _storing(self) -> Iterator[ObjectWriter]:
        try:
            yield cast("ObjectWriter", self._writer)
        except OSError as error:
            if is_disk_full(error):
                log_outage(error)
                raise DiskFull from error
            self.store_is_unavailable = isinstance(error, StorageUnavailable)
            _log.exception("storage_unavailable")
            raise Unavailable(STORAGE_UNAVAILABLE) from error


def identify(name: str, head: bytes, *, kind: str | None = None) -> Detected:
    """Return the kind of a file that begins so; raise UploadRejected as `Upload.identify` does."""
    try:
        return detect(name=name, head=head, requested=kind, sniffers=sniffers())
    except UnknownKind as reason:
        raise UploadRejected(name, f"“{name}” is not accepted: {reason}") from reason


class UploadsDoNotFit(QuotaExceeded):
    """The quota has no room for some uploads; `rejections` has the reason for each of them."""

    def __init__(self, rejections: Mapping[Upload, UploadRejected]) -> None:
        super().__init__(str(next(iter(rejections.values()))))
        self.rejections = rejections


def touch_uploads(file_ids: Sequence[uuid.UUID]) -> None:
    """Record that these uploads are still in progress, so that the sweeper keeps them."""
    File.unscoped.filter(pk__in=file_ids, status=File.Status.RECEIVING).update(
        touched_at=timezone.now()
    )


@retry_on_deadlock
def accept_files(
    *,
    actor: User,
    client: Client,
    uploads: Sequence[Upload],
    consignment: Consignment | None = None,
    log: Log | None = None,
    dry_run: bool = False,
    read_as: Mapping[str, Any] | None = None,
) -> list[Accepted]:
    """Make identified uploads PENDING in one transaction, and notify workers once it commits.

    With `dry_run`, files of kinds that have dry runs are processed so. `read_as` are answers that
    `check_read_as` has returned, for a single upload.

    A temperature file with the same bytes as one that counts already is discarded, and the earlier
    file is returned in its place. Raises Unavailable when the sweeper has deleted an upload
    meanwhile, NotFound for another client's consignment or log, and UploadsDoNotFit, having
    accepted none, where the subscription's quota has no room for some of them.
    """
    require(actor, Permission.WRITE_FILES, client=client)
    _check_targets(client, consignment, log)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    accepted: list[Accepted] = []
    with write_transaction():
        lock_targets(consignment, log)
        _lock_intents(uploads)
        # Before the files, so that concurrent uploads of a client wait here and nowhere later.
        subscription = lock_subscription(client.pk)
        for upload in uploads:
            row = upload.row
            row.client, row.uploaded_by = client, actor
            row.consignment, row.log = consignment, log
            row.dry_run = dry_run and processors()[row.kind].takes_dry_run
            if read_as is not None:
                row.read_as, row.answered_by = read_as, actor
            row.random_number = secrets.randbelow(1000) + 1
            row.request_id = request_id
            row.queue = processors()[row.kind].queue_for(row.size)
            row.uploaded_at = row.notified_at = timezone.now()
            accepted.append(_accept(row))
        _count_bytes(subscription, uploads, accepted)
        failpoint("receiving.pending_written")
        fresh = [outcome.file for outcome in accepted if not outcome.duplicate]
        if fresh:
            publish(*(file_event("create", file, actor=actor) for file in fresh))
            failpoint("receiving.event_written")
            transaction.on_commit(partial(notify_workers, [file.pk for file in fresh]), robust=True)
        for upload, outcome in zip(uploads, accepted, strict=True):
            if outcome.duplicate:
                # Not before the commit: a rollback would leave neither of the two files.
                transaction.on_commit(partial(discard, upload), robust=True)
    return accepted


def discard(*uploads: Upload) -> None:
    """Delete uploads that were not accepted, bytes first, so that a row outlives its object.

    Raises nothing: the sweeper deletes what cannot be deleted now. While the store is unavailable
    all is left to it, since every attempt would wait for a timeout.
    """
    if any(upload.store_is_unavailable for upload in uploads):
        return
    for upload in uploads:
        try:
            upload.abort()
            rows = File.unscoped.filter(pk=upload.id)
            # Without a row, the sweeper was here already, perhaps before the last bytes came.
            if not rows.exclude(status=File.Status.RECEIVING).exists():
                store().delete(upload.row.storage_key)
                failpoint("receiving.object_deleted")
                rows.filter(status=File.Status.RECEIVING).delete()
        except StorageUnavailable:
            _log.warning("upload_not_deleted", file_id=str(upload.id), exc_info=True)
            return
        except Exception:  # noqa: BLE001 - of a disk, a database or its driver: the sweeper retries
            _log.warning("upload_not_deleted", file_id=str(upload.id), exc_info=True)


def _lock_intents(uploads: Sequence[Upload]) -> None:
    """Lock the intent rows; raise Unavailable unless all of them still exist."""
    ids = [upload.id for upload in uploads]
    waiting = File.unscoped.select_for_update().filter(
        pk__in=ids, status=File.Status.RECEIVING, deleted_at__isnull=True
    )
    if len(waiting.values_list("pk")) != len(ids):
        raise Unavailable(TOOK_TOO_LONG)


def _accept(row: File, *, tries: int = 3) -> Accepted:
    row.status = File.Status.PENDING
    row.live_digest = row.sha256 if processors()[row.kind].counts_once else None
    try:
        with transaction.atomic():
            row.save(force_update=True)
    except IntegrityError:
        earlier = File.unscoped.filter(client=row.client, live_digest=row.sha256).first()
        if earlier is not None:
            return Accepted(file=earlier, duplicate=True)
        if tries == 1:
            raise
        # The other file was deleted, or has failed, in the meantime.
        return _accept(row, tries=tries - 1)
    return Accepted(file=row)


def _count_bytes(
    subscription: Subscription, uploads: Sequence[Upload], accepted: Sequence[Accepted]
) -> None:
    """Add the files to the bytes that the locked subscription counts; raise UploadsDoNotFit."""
    rejections = {}
    for upload, outcome in zip(uploads, accepted, strict=True):
        if outcome.duplicate:
            continue
        if subscription.has_room_for(upload.row.size):
            subscription.used_bytes += upload.row.size
        else:
            rejections[upload] = quota_rejection(upload.name, subscription)
    if rejections:
        raise UploadsDoNotFit(rejections)
    subscription.save(update_fields=["used_bytes"])


def _check_targets(client: Client, consignment: Consignment | None, log: Log | None) -> None:
    if consignment is not None and consignment.client_id != client.pk:
        raise NotFound("There is no such consignment.")
    if log is not None and log.client_id != client.pk:
        raise NotFound("There is no such log.")
