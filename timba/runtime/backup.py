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
from datetime import datetime
from pathlib import Path

import orjson
from django.apps import apps
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.db import connection
from django.utils import timezone

from timba import __version__
from timba.db.errors import is_disk_full
from timba.db.sequences import has_sequence, last_number
from timba.db.snapshots import read_snapshot
from timba.files.erasure import hold_erasure
from timba.files.storage import (
    FileDamaged,
    LocalStorage,
    StorageUnavailable,
    new_key,
    store,
    sync_directories,
)
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
from timba.runtime.backup_rows import BackupRows
from timba.runtime.object_copies import copy_object, object_sha256
from timba.runtime.progress import Progress
from timba.runtime.schema import applied_migrations
from timba.serialization import format_utc


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
        try:
            with hold_erasure():
                manifest = _Backup(backups, path, output=output, now=now).run()
            _write_manifest(path, manifest)
        except OSError as error:
            raise CommandError(
                f"{folder} cannot be written to: {error.strerror}. Correct that, and start the "
                "backup again; the objects that were copied are kept."
            ) from error
        if keep is not None and not manifest.failures:
            prune(backups, keep=keep)
    return manifest


def prune(backups: BackupFolder, *, keep: int) -> None:
    """Delete all but the newest `keep` backups, and the objects that no other one names."""
    old = backups.names()[:-keep]
    for name in old:
        # Without its manifest, a snapshot that is partly deleted does not count as one.
        (backups.snapshot(name) / "manifest.json").unlink()
        sync_directories(backups.snapshot(name))
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
        self._rows = BackupRows(now=now)
        self._failures: list[str] = []

    def run(self) -> Manifest:
        named = self._path / "named.jsonl.gz"
        with read_snapshot():
            migrations = applied_migrations()
            rows = [self._write_rows(label) for label in BACKED_UP]
            count, _ = write_lines(named, map(_dump_entry, self._rows.named_objects()))
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
        model, fields = apps.get_model(label), self._rows.fields(label)
        progress = Progress(self._output, f"Rows of {label}")
        path = f"rows/{label}.jsonl.gz"

        def lines() -> Iterator[bytes]:
            for row in self._rows.read(label):
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
        except (FileNotFoundError, SuspiciousFileOperation):  # the key leads out of the store
            self._failures.append(f"{entry.owner}: its object {entry.key} is missing.")
        except FileDamaged:
            self._failures.append(
                f"{entry.owner}: the bytes of its object {entry.key} are not those that were "
                "stored."
            )
        except OSError as error:
            if is_disk_full(error):
                raise
            _check_writable(target)  # otherwise the backup is what cannot be written
            self._failures.append(f"{entry.owner}: its object {entry.key} cannot be read: {error}.")
        return None


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
        sync_directories(folder, folder.parent)
        _check_writable(backups.objects)
    except OSError as error:
        raise CommandError(f"{folder} cannot be written to: {error.strerror}.") from error
    return backups


def _check_writable(objects: LocalStorage) -> None:
    """Store an object and delete it; raise OSError, also where there are no hard links."""
    key = new_key()
    with objects.create(key) as writer:
        writer.write(b"probe")
    objects.delete(key)


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
    sync_directories(path / "rows", path)
    unfinished = path / "manifest.unfinished"
    with unfinished.open("xb") as file:
        file.write(manifest.dumps())
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path / "manifest.json")
    sync_directories(path, path.parent)


def _dump_entry(entry: ObjectEntry) -> bytes:
    return orjson.dumps([entry.key, entry.size, entry.sha256, entry.owner])
