"""What `fsck` finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from timba.files.models import File


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong, as a sentence with ids.

    `mend` mends it and returns what it did, or raises DomainError where it no longer can; it is
    None where only people can decide.
    """

    sentence: str
    mend: Callable[[], str] | None = None


def describe(file: File) -> str:
    """Return the words for a file in a sentence."""
    return f"file {file.pk} (“{file.name}” of client {file.client_id})"
