"""Takes an upload in so that it is never half there.

A row names the object before its first byte is written; the bytes are hashed while they are
written and are on disk before anything is promised; then one short transaction makes the file
PENDING and tells the world. A crash anywhere leaves a row that names its own debris, which the
sweeper removes. No transaction is open while bytes flow.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.locks import lock_targets
from timba.consignments.models import Consignment, Log
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import NotFound, Unavailable
from timba.events.outbox import publish
from timba.failpoints import failpoint
from timba.files.events import file_event
from timba.files.kinds import (
    HEAD_BYTES,
    TEMPERATURES,
    UnknownKind,
    check_ending,
    detect,
    format_size,
    size_limit,
)
from timba.files.models import File
from timba.files.registry import processors, recognizers
from timba.files.storage import StorageUnavailable, new_key, store
from timba.files.tasks import notify_workers

MAX_NAME: Final = 255
AWAY: Final = "Files cannot be stored just now. Try again in a moment."
TOOK_TOO_LONG: Final = "The upload stood still for too long and was given up. Send it again."
_log = structlog.get_logger(__name__)


class UploadRejected(Exception):
    """A file is not taken in; the sentence names it."""

    def __init__(self, name: str, sentence: str, *, too_large: bool = False) -> None:
        super().__init__(sentence)
        self.name = name
        self.too_large = too_large


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingFile:
    """A file whose bytes are durable, but which nobody has accepted yet."""

    row: File
    head: bytes

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def sha256(self) -> str:
        return self.row.sha256

    def close(self) -> None:
        """Do nothing: the bytes are in the store already; a request closes its files at its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A file that Timba now answers for; `duplicate` when the same readings were there before."""

    file: File
    duplicate: bool = False


class UploadSession:
    """One file on its way in: `write` its chunks, then `finish`, or `abandon` it.

    Each raises Unavailable when the store does not take the bytes.
    """

    def __init__(self, *, name: str, kind: str | None = None) -> None:
        """Begin; raise Refused for a name that cannot be kept.

        What is not of the `kind` that is asked for is refused as soon as its first bytes say so.
        """
        check_name(name)
        self._kind = kind
        self._row = File.unscoped.create(name=name, storage_key=new_key())
        failpoint("receiving.intent_committed")
        self.store_is_away = False
        with self._storing():
            self._writer = store().create(self._row.storage_key)
        self._digest = hashlib.sha256()
        self._head = b""
        self._size = 0

    @property
    def file_id(self) -> uuid.UUID:
        return self._row.pk

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raise Refused once there are too many."""
        name = self._row.name
        self._size += len(chunk)
        check_size(name, self._size)
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES and self._kind is not None:
                identify(IncomingFile(row=self._row, head=self._head), kind=self._kind)
        self._digest.update(chunk)
        with self._storing():
            self._writer.write(chunk)
            failpoint("receiving.half_written")

    def finish(self) -> IncomingFile:
        """Make the bytes durable; raise Refused for an empty file."""
        row = self._row
        if not self._size:
            raise UploadRejected(row.name, f"“{row.name}” is empty.")
        with self._storing():
            self._writer.commit()
            failpoint("receiving.object_stored")
        row.size, row.sha256 = self._size, self._digest.hexdigest()
        return IncomingFile(row=row, head=self._head)

    def abandon(self) -> None:
        """Leave neither bytes nor row behind; where the store is away, the sweeper does it."""
        if self.store_is_away:
            return
        with contextlib.suppress(OSError):
            self._writer.abort()
            discard(IncomingFile(row=self._row, head=b""))

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as trouble:
            self.store_is_away = isinstance(trouble, StorageUnavailable)
            _log.exception("storage_away")
            raise Unavailable(AWAY) from trouble


def touch_uploads(file_ids: Sequence[uuid.UUID]) -> None:
    """Say that these uploads are still going on, so that the sweeper leaves them alone."""
    File.unscoped.filter(pk__in=file_ids, status=File.Status.RECEIVING).update(
        touched_at=timezone.now()
    )


def identify(received: IncomingFile, *, kind: str | None = None) -> None:
    """Find out what a received file is; raise Refused where that is unknown or not `kind`."""
    row = received.row
    try:
        detected = detect(name=row.name, head=received.head, asked=kind, recognizers=recognizers())
    except UnknownKind as reason:
        raise UploadRejected(row.name, f"“{row.name}” is not accepted: {reason}") from reason
    row.kind, row.media_type = detected.kind, detected.media_type


@retry_on_deadlock
def accept_files(
    *,
    actor: User,
    client: Client,
    received: Sequence[IncomingFile],
    consignment: Consignment | None = None,
    log: Log | None = None,
) -> list[Accepted]:
    """Make identified files PENDING, all in one transaction, and ring for them once it commits.

    A temperature file whose bytes count already is not taken twice: the first one is answered.
    Raises Unavailable when the sweeper has given one of them up meanwhile.
    """
    require(actor, Permission.WRITE_FILES, client=client)
    _check_place(client, consignment, log)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    accepted: list[Accepted] = []
    with write_transaction():
        lock_targets(consignment, log)
        _check_still_there(received)
        for one in received:
            row = one.row
            row.client, row.uploaded_by = client, actor
            row.consignment, row.log = consignment, log
            row.random_number = secrets.randbelow(1000) + 1
            row.request_id = request_id
            row.queue = processors()[row.kind].queue_for(row.size)
            row.uploaded_at = row.notified_at = timezone.now()
            accepted.append(_accept(row))
        failpoint("receiving.pending_written")
        fresh = [one.file for one in accepted if not one.duplicate]
        if fresh:
            publish(*(file_event("create", file, actor=actor) for file in fresh))
            failpoint("receiving.event_written")
            transaction.on_commit(partial(notify_workers, [file.pk for file in fresh]), robust=True)
        for one, outcome in zip(received, accepted, strict=True):
            if outcome.duplicate:
                # Not before the commit: until then its twin may still turn out to be none.
                transaction.on_commit(partial(discard, one), robust=True)
    return accepted


def discard(*received: IncomingFile) -> None:
    """Remove files that were not accepted, bytes first, so that a row outlives its debris.

    Raises nothing: what cannot be removed now, the sweeper removes.
    """
    for one in received:
        try:
            rows = File.unscoped.filter(pk=one.row.pk)
            # Where there is no row, the sweeper was here, perhaps before the last bytes were.
            if not rows.exclude(status=File.Status.RECEIVING).exists():
                store().delete(one.row.storage_key)
                failpoint("receiving.debris_erased")
                rows.filter(status=File.Status.RECEIVING).delete()
        except StorageUnavailable:
            _log.warning("debris_left", file_id=str(one.row.pk), exc_info=True)
            return  # each of the others would wait as long for nothing
        except Exception:  # noqa: BLE001 - a disk's, a database's or its driver's: the sweeper is next
            _log.warning("debris_left", file_id=str(one.row.pk), exc_info=True)


def check_name(name: str) -> None:
    """Raise Refused unless a file may be called so."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in name)[:MAX_NAME]
    if not name:
        raise UploadRejected("", "A file has no name.")
    if len(name) > MAX_NAME:
        raise UploadRejected(
            shown, f"“{shown[:60]}…” has a name of more than {MAX_NAME} characters. Shorten it."
        )
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in name):
        raise UploadRejected(shown, f"“{shown}” has control characters in its name. Rename it.")


def check_size(name: str, size: int) -> None:
    """Raise Refused for more bytes than a file of this name may have."""
    limit = size_limit(name, general=settings.TIMBA_MAX_UPLOAD_BYTES)
    if size > limit:
        sentence = f"“{name}” is too large: a file like this may have {format_size(limit)}."
        raise UploadRejected(name, sentence, too_large=True)


def check_kind(name: str, *, kind: str | None = None) -> None:
    """Raise Refused for a name whose file is refused whatever its bytes are."""
    try:
        check_ending(name, asked=kind)
    except UnknownKind as reason:
        raise UploadRejected(name, f"“{name}” is not accepted: {reason}") from reason


def _check_still_there(received: Sequence[IncomingFile]) -> None:
    """Lock the intent rows; raise Unavailable unless all of them are there and not given up."""
    ids = [one.row.pk for one in received]
    waiting = File.unscoped.select_for_update().filter(
        pk__in=ids, status=File.Status.RECEIVING, deleted_at__isnull=True
    )
    if len(waiting.values_list("pk")) != len(ids):
        raise Unavailable(TOOK_TOO_LONG)


def _accept(row: File, *, tries: int = 3) -> Accepted:
    row.status = File.Status.PENDING
    row.live_digest = row.sha256 if row.kind == TEMPERATURES else None
    try:
        with transaction.atomic():
            row.save(force_update=True)
    except IntegrityError:
        twin = File.unscoped.filter(client=row.client, live_digest=row.sha256).first()
        if twin is not None:
            return Accepted(file=twin, duplicate=True)
        if tries == 1:
            raise
        # The twin was deleted, or has failed, at this very moment.
        return _accept(row, tries=tries - 1)
    return Accepted(file=row)


def _check_place(client: Client, consignment: Consignment | None, log: Log | None) -> None:
    if consignment is not None and consignment.client_id != client.pk:
        raise NotFound("There is no such consignment.")
    if log is not None and log.client_id != client.pk:
        raise NotFound("There is no such log.")
