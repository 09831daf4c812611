"""Checks that each row has its object, and each object its row; reads the objects if asked to.

Keys are spread over 256 directories, which are compared one by one, so that memory stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.core.management.base import OutputWrapper
from django.db.models import Q
from django.utils import timezone

from timba.errors import Conflict
from timba.files.models import HAS_OBJECT, Derivative, File
from timba.files.previews import is_preview, mend_preview
from timba.files.registry import processors
from timba.files.sandbox import SandboxUnavailable
from timba.files.services import process_again
from timba.files.storage import (
    KEY_PATTERN,
    FileDamaged,
    StorageUnavailable,
    StoredObject,
    store,
)
from timba.files.sweeping import ABANDONED_AFTER
from timba.runtime.backup_format import ObjectEntry
from timba.runtime.findings import Finding, describe
from timba.runtime.object_copies import check_object
from timba.runtime.progress import Progress

_DIRECTORIES: Final = [f"{number:02x}" for number in range(256)]
_KEY_IS_POSSIBLE: Final = Q(storage_key__regex=KEY_PATTERN)
# Crashes leave single objects; when it is many, the database is that of another store.
_FEW: Final = 10
_FROM_BACKUP: Final = "Restore it from the folder `objects` of a backup."


def check_objects(*, deep: bool, output: OutputWrapper) -> Iterator[Finding]:
    """Yield rows whose object is missing or damaged, and objects without a row."""
    progress = Progress(output, "Objects")
    orphans: list[str] = []
    count = 0
    for directory in _DIRECTORIES:
        stored = {found.key: found for found in store().list_objects(f"{directory}/")}
        count += len(stored)
        for row in _rows_with_objects(_KEY_IS_POSSIBLE & _within(directory)):
            progress.advance(size=row.size or 0)
            yield from _check_row(row, stored.get(row.storage_key), deep=deep)
        orphans += _orphans(directory, stored)
    progress.finish()
    for row in _rows_with_objects(~_KEY_IS_POSSIBLE):
        problem = f"cannot exist: Timba gives no key such as {row.storage_key}."
        yield Finding(sentence=f"{_describe_object(row)} {problem}")
    are_few = len(orphans) <= max(_FEW, count // 10)
    for key in orphans:
        mend = partial(_erase, key) if are_few else None
        yield Finding(sentence=f"No row names the object {key}.", mend=mend)
    if not are_few:
        yield Finding(
            sentence=f"No row names {len(orphans):,} of {count:,} objects, so they stay: do "
            "DATABASE_URL and the object store belong together?"
        )


def _check_row(
    row: File | Derivative, found: StoredObject | None, *, deep: bool
) -> Iterator[Finding]:
    entry = ObjectEntry(key=row.storage_key, size=row.size, sha256=row.sha256)
    try:
        if found is None:
            raise FileNotFoundError
        if entry.size not in (None, found.size):
            raise FileDamaged
        if deep:
            check_object(entry, source=store())
    except FileNotFoundError:
        # It may have been erased since, with its row, or written after the objects were listed.
        if _still_names(row) and not store().exists(row.storage_key):
            yield _finding(row, "is missing")
    except FileDamaged:
        yield _finding(row, "is not what was stored")
    except StorageUnavailable:
        raise
    except OSError as error:
        yield _finding(row, f"cannot be read ({error.strerror})")


def _finding(row: File | Derivative, what: str) -> Finding:
    sentence, key = f"{_describe_object(row)} {what}.", f"Its key is {row.storage_key}."
    if isinstance(row, File):
        return Finding(sentence=f"{sentence} {_FROM_BACKUP} {key}")
    mend = partial(_make_preview, row) if is_preview(row) else partial(_derive_again, row.file)
    return Finding(sentence=f"{sentence} {key}", mend=mend)


def _describe_object(row: File | Derivative) -> str:
    if isinstance(row, File):
        return f"The object of the {describe(row)}"
    return f"The object with the {row.role} of the {describe(row.file)}"


def _derive_again(file: File) -> str:
    """Let a worker make the objects again; raise Conflict where that could have other results."""
    if not processors()[file.kind].counts_once:
        raise Conflict
    process_again(file)
    return "The file is processed again, by the next free worker."


def _make_preview(derivative: Derivative) -> str:
    """Make a preview again, which changes no result."""
    try:
        is_made = mend_preview(derivative)
    except SandboxUnavailable:
        raise Conflict from None
    return "It was made again." if is_made else "It was forgotten: it cannot be made again."


def _rows_with_objects(keys: Q) -> Iterator[File | Derivative]:
    """Yield the rows whose object must be there: of those in the trash, until they are erased."""
    files = File.unscoped.accepted().filter(keys, erasing_since__isnull=True)
    yield from files.order_by("storage_key").iterator()
    derivatives = Derivative.objects.filter(keys & HAS_OBJECT, file__erasing_since__isnull=True)
    yield from derivatives.select_related("file").order_by("storage_key").iterator()


def _within(directory: str) -> Q:
    # A range, unlike a pattern, uses the index on every database; 0 follows / in ASCII.
    return Q(storage_key__gte=f"{directory}/", storage_key__lt=f"{directory}0")


def _still_names(row: File | Derivative) -> bool:
    if isinstance(row, File):
        return File.unscoped.filter(pk=row.pk, erasing_since__isnull=True).exists()
    named = Derivative.objects.filter(HAS_OBJECT, file__erasing_since__isnull=True)
    return named.filter(pk=row.pk).exists()


def _orphans(directory: str, stored: dict[str, StoredObject]) -> list[str]:
    """Return the objects that no row has named for an hour: a row is older than its object."""
    old = timezone.now() - ABANDONED_AFTER
    keys = {found.key for found in stored.values() if found.modified_at < old}
    for model in (File, Derivative):
        rows = model._base_manager.filter(_within(directory))  # noqa: SLF001 - Django's own name
        keys.difference_update(rows.values_list("storage_key", flat=True).iterator())
    return sorted(keys)


def _erase(key: str) -> str:
    for model in (File, Derivative):
        if model._base_manager.filter(storage_key=key).exists():  # noqa: SLF001 - Django's own name
            raise Conflict
    store().purge(key)
    return "It was deleted."
