"""Begins, continues and ends resumable uploads; whatever is complete goes through `receiving`.

Bytes are on disk before a request is answered, so that a caller who asks for the offset after a
crash sends at most what was not answered again. The transaction that accepts the file names it in
the upload's row: no upload becomes two files, however often its last request is repeated.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.accounts.subscriptions import lock_subscription
from timba.db.transactions import deferred_commit, retry_on_deadlock, write_transaction
from timba.errors import Conflict, DomainError, Invalid, TooLarge, Unavailable
from timba.failpoints import failpoint
from timba.files.disk import check_disk_space
from timba.files.entry import UploadRejected, check_kind, check_name, check_quota, check_size
from timba.files.kinds import HEAD_BYTES
from timba.files.models import File
from timba.files.receiving import Accepted, Upload, discard, touch_uploads
from timba.files.resumable.models import ResumableUpload
from timba.files.resumable.parts import (
    PIECE_BYTES,
    PartFile,
    UploadGone,
    files_in_folder,
    folder_id,
    parts_folder,
)

# An upload without a new byte for so long is deleted.
EXPIRES_AFTER: Final = timedelta(hours=24)
MAX_UNFINISHED: Final = 500
OTHER_MACHINE: Final = (
    "This upload was begun on another machine, whose folder “uploads-in-parts” this one does not "
    "share. Send it again."
)
# Small, so that little is lost of a body that breaks off.
_READ_BYTES: Final = 16 * 1024
_TOUCH_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)

CheckHead = Callable[[bytes], None]
Accept = Callable[[Upload], Accepted]


class ChecksumMismatch(DomainError):
    """The bytes are not those of Upload-Checksum: send them again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checksum:
    """What a chunk must be: the name of an algorithm of hashlib, and the digest."""

    algorithm: str
    digest: bytes


@retry_on_deadlock
def begin_upload(
    *, actor: User, client: Client, name: str, kind: str | None, length: int, metadata: str
) -> ResumableUpload:
    """Create the row of an upload of `length` bytes.

    Raises UploadRejected where its name, kind, size or the quota does not permit it, DiskFull where
    the disk has no space for it and all that is still to come, Conflict for too many at once.
    """
    require(actor, Permission.WRITE_FILES, client=client)
    check_name(name)
    check_kind(name, kind=kind)
    if not length:
        raise UploadRejected(name, f"“{name}” is empty.")
    check_size(name, length)
    folder = folder_id()
    _check_disk_space(client, folder, length)
    with write_transaction():
        client.subscription = lock_subscription(client.pk)
        lengths = _unfinished().filter(client=client).values_list("length", flat=True)
        if len(lengths) >= MAX_UNFINISHED:
            raise Conflict(
                f"{MAX_UNFINISHED} uploads are unfinished already: finish or delete some of them."
            )
        check_quota(client, name=name, size=sum(lengths) + length)
        upload = ResumableUpload.unscoped.create(
            client=client,
            created_by=actor,
            name=name,
            length=length,
            metadata=metadata,
            folder_id=folder,
            expires_at=timezone.now() + EXPIRES_AFTER,
        )
        # Last, because nothing takes it back: without a row it is a leftover.
        PartFile.create(upload.pk)
    return upload


def received_bytes(upload: ResumableUpload) -> int:
    """Return how many bytes of an upload have arrived, all of them on disk."""
    if upload.file is None:
        with suppress_finished(upload), opened(upload) as part:
            return part.received()
    return upload.length


@contextmanager
def suppress_finished(upload: ResumableUpload) -> Iterator[None]:
    """Suppress UploadGone where another request has finished the upload; set its `file`.

    Otherwise its bytes are deleted, and a row that is left of it is deleted too.
    """
    try:
        yield
    except UploadGone:
        _reread(upload)
        if upload.file is None:
            ResumableUpload.unscoped.filter(pk=upload.pk, file=None).delete()
            raise


def _reread(upload: ResumableUpload) -> None:
    try:
        upload.refresh_from_db(fields=["file"])
    except ResumableUpload.DoesNotExist as error:
        raise UploadGone from error


def append_bytes(
    *,
    actor: User,
    upload: ResumableUpload,
    offset: int,
    size: int | None,
    read: Callable[[int], bytes],
    check_head: CheckHead,
    checksum: Checksum | None = None,
) -> int:
    """Append what `read` returns at `offset`; return how many bytes have arrived in all.

    `size` is how many bytes `read` will return, if that is known.

    If `read` raises an error, what it returned before is kept, unless it has a checksum. An upload
    whose first bytes `check_head` rejects is deleted. Raises OffsetMismatch, TooLarge,
    ChecksumMismatch, and Conflict when another request has continued the upload meanwhile.
    """
    require(actor, Permission.WRITE_FILES, client=upload.client)
    with opened(upload) as part:
        # Not `received`, which would wait for the disk.
        with part.locked() as counted:
            if size is not None and counted == offset:
                check_length(upload, offset + size)
        writer = part.begin(offset, has_checksum=checksum is not None)
        position, touched_at = offset, _touch(upload, part)
        digest = hashlib.new(checksum.algorithm) if checksum else None
        try:
            for piece in _pieces(read):
                check_length(upload, position + len(piece))
                part.append(writer, position, piece)
                before, position = position, position + len(piece)
                if digest is not None:
                    digest.update(piece)
                else:
                    _check_head(upload, part, before, position, check_head)
                if time.monotonic() - touched_at >= _TOUCH_SECONDS:
                    check_disk_space(folder=parts_folder())
                    touched_at = _touch(upload, part)
        except BaseException:
            if digest is not None:
                with suppress(DomainError):
                    part.cut(writer, offset)
            raise
        if checksum and digest and digest.digest() != checksum.digest:
            part.cut(writer, offset)
            raise ChecksumMismatch
        part.verify(writer)
        if digest is not None:
            _check_head(upload, part, offset, position, check_head)
        _touch(upload, part)
    return position


def finish_upload(*, upload: ResumableUpload, kind: str | None, accept: Accept) -> File:
    """Return the file that a complete upload has become, or becomes now by `accept`.

    An upload that is rejected for its bytes is deleted; after any other failure it can be finished
    later.
    """
    with suppress_finished(upload), opened(upload) as part, part.locked() as received:
        _reread(upload)
        if upload.file is None:
            if received != upload.length:
                raise Conflict(f"{received} of {upload.length} bytes have arrived.")
            try:
                upload.file = _store(upload, part, kind, accept)
            except (UploadRejected, Invalid):
                delete_with_bytes(upload, part)
                raise
            failpoint("resumable.accepted")
        part.delete()
    assert upload.file is not None  # noqa: S101 - stored here or by another request
    return upload.file


def delete_upload(*, actor: User, upload: ResumableUpload) -> None:
    """Delete an unfinished upload with its bytes; a file that it has become stays."""
    require(actor, Permission.WRITE_FILES, client=upload.client)
    row = ResumableUpload.unscoped.filter(pk=upload.pk)
    try:
        with opened(upload) as part, part.locked():
            part.delete()
    except UploadGone:
        if not row.delete()[0]:
            raise
    # A request that found the bytes deleted may have deleted it already.
    row.delete()


def _unfinished() -> QuerySet[ResumableUpload]:
    return ResumableUpload.unscoped.filter(file=None, expires_at__gt=timezone.now())


def _check_disk_space(client: Client, folder: uuid.UUID, length: int) -> None:
    """Raise DiskFull unless there is space for `length` bytes and for all the client still sends.

    What other clients have announced reserves nothing, or any of them could stop the others.
    """
    unfinished = _unfinished().filter(client=client, folder_id=folder)
    lengths = dict(unfinished.values_list("pk", "length"))
    arrived = sum(found.st_size for pk, found in files_in_folder() if pk in lengths)
    check_disk_space(length + max(0, sum(lengths.values()) - arrived), folder=parts_folder())


@contextmanager
def opened(upload: ResumableUpload) -> Iterator[PartFile]:
    """Yield the open file of an upload; raise Unavailable where another machine has it."""
    if upload.folder_id != folder_id():
        raise Unavailable(OTHER_MACHINE)
    with closing(PartFile(upload.pk)) as part:
        yield part


def check_length(upload: ResumableUpload, length: int) -> None:
    """Raise TooLarge for more bytes than were announced."""
    if length > upload.length:
        raise TooLarge(f"“{upload.name}” was announced with {upload.length} bytes.")


def _touch(upload: ResumableUpload, part: PartFile) -> float:
    """Postpone the expiry; raise NotFound for an upload that was deleted meanwhile."""
    row = ResumableUpload.unscoped.filter(pk=upload.pk)
    upload.expires_at = timezone.now() + EXPIRES_AFTER
    if not row.update(expires_at=upload.expires_at):
        part.delete()
        raise UploadGone
    return time.monotonic()


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield what `read` returns in larger pieces, and what there is before an error of its own."""
    piece = bytearray()
    try:
        while data := read(_READ_BYTES):
            piece += data
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
    except OSError:
        if piece:
            yield bytes(piece)
        raise
    if piece:
        yield bytes(piece)


def _check_head(
    upload: ResumableUpload, part: PartFile, before: int, position: int, check: CheckHead
) -> None:
    """Check the first bytes once they have arrived; those of a complete upload are checked then."""
    if before < HEAD_BYTES <= position:
        with part.locked():
            try:
                check(part.read(HEAD_BYTES))
            except (UploadRejected, Invalid):
                delete_with_bytes(upload, part)
                raise


def _store(upload: ResumableUpload, part: PartFile, kind: str | None, accept: Accept) -> File:
    """Copy a complete upload into the object store, and accept it."""
    received = Upload(name=upload.name, kind=kind)
    try:
        touched_at = time.monotonic()
        while piece := part.read(PIECE_BYTES, received.row.size):
            received.write(piece)
            if time.monotonic() - touched_at >= _TOUCH_SECONDS:
                touch_uploads([received.id])
                touched_at = time.monotonic()
        received.finish()
        return _accept(upload, received, accept)
    except BaseException:
        discard(received)
        raise


@retry_on_deadlock
def _accept(upload: ResumableUpload, received: Upload, accept: Accept) -> File:
    with deferred_commit():
        file = accept(received).file
        rows = ResumableUpload.unscoped.filter(pk=upload.pk)
        if not rows.update(file=file, expires_at=timezone.now() + EXPIRES_AFTER):
            raise UploadGone
        failpoint("resumable.recorded")
    return file


def delete_with_bytes(upload: ResumableUpload, part: PartFile) -> None:
    """Delete the bytes, then the row, which is needed to find them; requires the lock."""
    part.delete()
    ResumableUpload.unscoped.filter(pk=upload.pk).delete()
