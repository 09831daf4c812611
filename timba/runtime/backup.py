"""Makes a backup: a consistent snapshot of the rows, then copies of the objects that they name.

Timba may run meanwhile. The rows are read in one transaction that keeps no writer waiting, and the
erasure of objects waits until they are copied. Objects never change, so those that an earlier
backup in the same folder has copied are not copied again. A backup that is killed leaves nothing
that counts as a snapshot, and what it has copied serves the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.db import connection, models
from django.utils import timezone

from timba import __version__
from timba.db.errors import is_disk_full
from timba.db.sequences import has_sequence, last_number
from timba.db.snapshots import read_snapshot
from timba.files.erasure import hold_erasure
from timba.files.models import HAS_OBJECT, Derivative, File
from timba.files.storage import FileDamaged, StorageUnavailable, store
from timba.runtime.backup_format import (
    BACKED_UP,
    BackupFolder,
    Manifest,
    ObjectEntry,
    ObjectsFile,
    RowsFile,
    encode_row,
    read_objects,
    snapshot_name,
    write_lines,
)
from timba.runtime.object_copies import copy_object, object_sha256
from timba.runtime.progress import Progress
from timba.runtime.schema import applied_migrations
from timba.serialization import format_utc

# Rows that are read in one query.
_CHUNK: Final = 500
# The clocks of two machines may differ: files that are due so soon may be erased already.
_TRASH_MARGIN: Final = timedelta(minutes=5)


def make_backup(folder: Path, *, output: OutputWrapper, keep: int | None = None) -> Manifest:
    """Back up everything into `folder`; delete all but the newest `keep` backups in it.

    Raises CommandError where the folder cannot be used. The manifest's `failures` name the objects
    that could not be copied.
    """
    applied_migrations()
    backups = _open(folder)
    with backups.locked():
        _remove_unfinished(backups)
        now = timezone.now()
        name = snapshot_name(now)
        if name in backups.names():
            raise CommandError(f"There is a backup {name} already. Start the next one in a second.")
        path = backups.snapshot(name)
        (path / "rows").mkdir(parents=True)
        with hold_erasure():
            manifest = _Backup(backups, path, output=output, now=now).run()
        _write_manifest(path, manifest)
        if keep is not None and not manifest.failures:
            prune(backups, keep=keep)
    return manifest


def prune(backups: BackupFolder, *, keep: int) -> None:
    """Delete all but the newest `keep` backups, and the objects that no other one names."""
    old = backups.names()[:-keep]
    for name in old:
        # Without its manifest, a snapshot that is partly deleted does not count as one.
        (backups.snapshot(name) / "manifest.json").unlink()
        shutil.rmtree(backups.snapshot(name))
    if not old:
        return
    named = {
        entry.key
        for name in backups.names()
        for entry in read_objects(backups.snapshot(name) / backups.manifest(name).objects.path)
    }
    for found in backups.objects.list_objects():
        if found.key not in named:
            backups.objects.delete(found.key)


class _Backup:
    """One backup in progress."""

    def __init__(
        self, backups: BackupFolder, path: Path, *, output: OutputWrapper, now: datetime
    ) -> None:
        self._backups, self._path, self._output, self._now = backups, path, output, now
        self._failures: list[str] = []

    def run(self) -> Manifest:
        named = self._path / "named.jsonl.gz"
        with read_snapshot():
            migrations = applied_migrations()
            rows = [self._write_rows(label) for label in BACKED_UP]
            count, _ = write_lines(named, map(_dump_entry, self._named_objects()))
        objects = self._copy_objects(read_objects(named), count)
        named.unlink()
        return Manifest(
            version=__version__,
            taken_at=format_utc(self._now),
            database=connection.vendor,
            migrations=migrations,
            rows=rows,
            objects=objects,
            failures=self._failures,
        )

    def _write_rows(self, label: str) -> RowsFile:
        model = apps.get_model(label)
        fields = model._meta.concrete_fields
        progress = Progress(self._output, f"Rows of {label}")
        path = f"rows/{label}.jsonl.gz"

        def lines() -> Iterator[bytes]:
            for row in _iter_rows(model, self._filter_of(label)):
                progress.advance()
                yield encode_row(fields, row)

        count, sha256 = write_lines(self._path / path, lines())
        return RowsFile(
            model=label,
            path=path,
            columns=[field.attname for field in fields],
            rows=count,
            sha256=sha256,
            last_number=last_number(model) if has_sequence(model) else None,
        )

    def _filter_of(self, label: str) -> models.Q:
        """Return the condition of the rows to keep.

        Uploads and runs in progress are left out with what they have written so far: their objects
        may be incomplete. So are deleted files that may be erased at any moment.
        """
        due = self._now - timedelta(days=settings.TIMBA_TRASH_DAYS) + _TRASH_MARGIN

        def is_kept(file: str = "") -> models.Q:
            return ~models.Q(**{f"{file}status": File.Status.RECEIVING}) & (
                models.Q(**{f"{file}deleted_at__isnull": True})
                | models.Q(**{f"{file}deleted_at__gt": due})
            )

        filters = {
            "files.file": is_kept(),
            "files.derivative": HAS_OBJECT & is_kept("file__"),
            "temperatures.citytotals": models.Q(file__run=models.F("run")) & is_kept("file__"),
            "api.idempotentrequest": models.Q(response_status__isnull=False),
        }
        return filters.get(label, models.Q())

    def _named_objects(self) -> Iterator[ObjectEntry]:
        """Yield the objects that the rows of the snapshot name."""
        files = _iter_rows(
            File, self._filter_of("files.file"), ("storage_key", "size", "sha256", "name", "id")
        )
        for key, size, sha256, name, file_id in files:
            owner = f"“{name}” (file {file_id})"
            yield ObjectEntry(key=key, size=size, sha256=sha256, owner=owner)
        derivatives = _iter_rows(
            Derivative,
            self._filter_of("files.derivative"),
            ("storage_key", "size", "sha256", "role", "file_id"),
        )
        for key, size, sha256, role, file_id in derivatives:
            owner = f"the {role} of file {file_id}"
            yield ObjectEntry(key=key, size=size, sha256=sha256, owner=owner)

    def _copy_objects(self, entries: Iterator[ObjectEntry], total: int) -> ObjectsFile:
        progress = Progress(self._output, "Objects", total)

        def lines() -> Iterator[bytes]:
            for entry in entries:
                copied = self._copy(entry)
                if copied is not None:
                    progress.advance(size=copied.size or 0)
                    yield _dump_entry(copied)

        path = "objects.jsonl.gz"
        count, sha256 = write_lines(self._path / path, lines())
        progress.finish()
        return ObjectsFile(path=path, count=count, bytes=progress.bytes, sha256=sha256)

    def _copy(self, entry: ObjectEntry) -> ObjectEntry | None:
        """Copy an object unless it is there already; return what was copied.

        Returns None for an object that is missing or damaged, which becomes a failure.
        """
        target = self._backups.objects
        try:
            if target.exists(entry.key):
                size = target.size(entry.key)
                if entry.size in (None, size):
                    sha256 = entry.sha256 or object_sha256(target, entry.key)
                    return ObjectEntry(key=entry.key, size=size, sha256=sha256, owner=entry.owner)
                target.delete(entry.key)
            return copy_object(entry, source=store(), target=target)
        except StorageUnavailable as error:
            raise CommandError(
                f"The object store cannot be read: {error}. Start the backup again; the objects "
                "that were copied are kept."
            ) from error
        except FileNotFoundError:
            self._failures.append(f"{entry.owner}: its object {entry.key} is missing.")
        except FileDamaged:
            self._failures.append(
                f"{entry.owner}: the bytes of its object {entry.key} are not those that were "
                "stored."
            )
        except OSError as error:
            if is_disk_full(error):
                raise CommandError(
                    f"The disk of {self._backups.path} is full. Free space, and start the backup "
                    "again; the objects that were copied are kept."
                ) from error
            self._failures.append(f"{entry.owner}: its object {entry.key} cannot be read: {error}.")
        return None


def _iter_rows(
    model: type[models.Model], condition: models.Q, columns: tuple[str, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Yield these columns of the rows, by default all, in the order of their primary keys.

    A chunk is read by one query: MariaDB's driver holds all rows of a result in memory.
    """
    names = columns or tuple(field.attname for field in model._meta.concrete_fields)
    rows = model._base_manager.filter(condition).order_by("pk")  # noqa: SLF001 - Django's own name
    after: Any = None
    while True:
        chunk = list(
            (rows if after is None else rows.filter(pk__gt=after)).values_list("pk", *names)[
                :_CHUNK
            ]
        )
        yield from (row[1:] for row in chunk)
        if len(chunk) < _CHUNK:
            return
        after = chunk[-1][0]


def _open(folder: Path) -> BackupFolder:
    """Return the folder of backups, created if it does not exist; raise CommandError."""
    backups = BackupFolder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in folder.iterdir()]
        if others and not backups.snapshots.is_dir():
            raise CommandError(
                f"{folder} holds other files, such as {others[0]}. Give an empty folder, or one "
                "with earlier backups."
            )
        backups.snapshots.mkdir(exist_ok=True)
        backups.objects.location.mkdir(exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder} cannot be written to: {error.strerror}.") from error
    return backups


def _remove_unfinished(backups: BackupFolder) -> None:
    """Remove what a killed backup has left."""
    complete = set(backups.names())
    for path in backups.snapshots.iterdir():
        if path.name not in complete:
            shutil.rmtree(path)
    for path in backups.unfinished_objects():
        path.unlink()


def _write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the snapshot count, once all else is durable."""
    _sync(path / "rows", path)
    unfinished = path / "manifest.unfinished"
    with unfinished.open("xb") as file:
        file.write(manifest.dumps())
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path / "manifest.json")
    _sync(path, path.parent)


def _sync(*folders: Path) -> None:
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _dump_entry(entry: ObjectEntry) -> bytes:
    return orjson.dumps([entry.key, entry.size, entry.sha256, entry.owner])
