"""Copies objects between stores, and compares their bytes with the hashes of their upload."""

from __future__ import annotations

import hashlib
from typing import Any, Final, cast

from timba.files.storage import FileDamaged, ObjectStore
from timba.runtime.backup_format import ObjectEntry

_CHUNK_BYTES: Final = 1024 * 1024


def copy_object(entry: ObjectEntry, *, source: ObjectStore, target: ObjectStore) -> ObjectEntry:
    """Copy an object whole or not at all; return it with its size and hash.

    Raises FileNotFoundError, FileDamaged where its size or hash is another one than in `entry`, and
    what the stores raise.
    """
    digest, size = hashlib.sha256(), 0
    with source.open_bytes(entry.key) as stream, target.create(entry.key) as writer:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
        _compare(entry, size=size, sha256=digest.hexdigest())
    return ObjectEntry(key=entry.key, size=size, sha256=digest.hexdigest(), owner=entry.owner)


def check_object(entry: ObjectEntry, *, source: ObjectStore) -> None:
    """Read an object; raise FileNotFoundError, or FileDamaged as `copy_object` does."""
    digest, size = hashlib.sha256(), 0
    with source.open_bytes(entry.key) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    _compare(entry, size=size, sha256=digest.hexdigest())


def object_sha256(source: ObjectStore, key: str) -> str:
    """Return the SHA-256 of an object; raise FileNotFoundError."""
    with source.open_bytes(key) as stream:
        return hashlib.file_digest(cast("Any", stream), "sha256").hexdigest()


def _compare(entry: ObjectEntry, *, size: int, sha256: str) -> None:
    if entry.size not in (None, size) or entry.sha256 not in ("", sha256):
        raise FileDamaged
