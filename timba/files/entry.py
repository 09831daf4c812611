"""What is checked of a file before its bytes are stored: name, kind, size, and its client's quota.

Every check raises UploadRejected with a sentence that names the file.
"""

from __future__ import annotations

from django.conf import settings

from timba.accounts.models import Client, Subscription
from timba.db.text import has_control_characters, is_storable
from timba.errors import DomainError, Invalid, QuotaExceeded, TooLarge
from timba.files.kinds import (
    KINDS_BY_EXTENSION,
    TEMPERATURES,
    UnknownKind,
    check_extension,
    extension_of,
    format_size,
    size_limit,
)
from timba.files.models import MAX_FILE_NAME
from timba.files.registry import processors


class UploadRejected(Exception):
    """A file is rejected; the sentence names the file and the reason, `error` is its class."""

    def __init__(self, name: str, sentence: str, *, error: type[DomainError] = Invalid) -> None:
        super().__init__(sentence)
        self.name = name
        self.error = error


def check_name(name: str) -> None:
    """Raise UploadRejected for a file name that is empty, too long or has control characters."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in name)[:MAX_FILE_NAME]
    if not name:
        raise UploadRejected("", "A file has no name.")
    if len(name) > MAX_FILE_NAME:
        raise UploadRejected(
            shown,
            f"“{shown[:60]}…” has a name of more than {MAX_FILE_NAME} characters. Shorten it.",
        )
    if has_control_characters(name) or not is_storable(name):
        raise UploadRejected(shown, f"“{shown}” has control characters in its name. Rename it.")


def check_size(name: str, size: int) -> None:
    """Raise UploadRejected for more than the allowed number of bytes for this file name."""
    limit = size_limit(name, general=settings.TIMBA_MAX_UPLOAD_BYTES)
    if size > limit:
        sentence = f"“{name}” is too large: a file like this may have {format_size(limit)}."
        raise UploadRejected(name, sentence, error=TooLarge)


def check_kind(name: str, *, kind: str | None = None) -> None:
    """Raise UploadRejected for a file name of no known kind, or of another kind than `kind`."""
    try:
        check_extension(name, requested=kind)
    except UnknownKind as reason:
        raise UploadRejected(name, f"“{name}” is not accepted: {reason}") from reason


def check_quota(client: Client, *, name: str, size: int) -> None:
    """Raise UploadRejected for more bytes than the client's quota has room for.

    This spares the bytes of an upload that `accept_files` would reject. A file that may count
    already, which only all of its bytes tell, would need no room: it is rejected here only where
    the whole quota is too small for it.
    """
    subscription = client.subscription
    if subscription.has_room_for(size):
        return
    kinds = KINDS_BY_EXTENSION.get(extension_of(name), (TEMPERATURES,))
    counts_once = any(processors()[each].counts_once for each in kinds)
    if not (counts_once and size <= (subscription.quota_bytes or 0)):
        raise quota_rejection(name, subscription)


def quota_rejection(name: str, subscription: Subscription) -> UploadRejected:
    """Return why a file exceeds the quota of this subscription."""
    quota, free = subscription.quota_bytes or 0, subscription.free_bytes or 0
    sentence = (
        f"“{name}” does not fit: {format_size(free)} of the subscription's {format_size(quota)} "
        "are free. Ask for more, or delete files: they count until they leave the trash."
    )
    return UploadRejected(name, sentence, error=QuotaExceeded)
