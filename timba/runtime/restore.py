"""Restores a backup into an empty database and an empty object store.

Everything in the backup is verified before anything is written. The tables are first made as they
were when the backup was made, the rows are loaded, then the tables are migrated to this version. A
restore that is interrupted can be repeated; until one has ended, Timba does not start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F, Model

from timba.accounts.models import Client, User
from timba.db.full_text_index import index_tables
from timba.db.sequences import set_last_number
from timba.events.models import Stream
from timba.files.models import File, FileText
from timba.files.storage import FileDamaged, store
from timba.files.usage import find_wrong_counts, recount
from timba.runtime.backup_format import (
    LEFT_OUT,
    BackupFolder,
    Manifest,
    ObjectEntry,
    ObjectsFile,
    RowsFile,
    file_sha256,
    read_lines,
    read_objects,
    row_loader,
)
from timba.runtime.object_copies import check_object, copy_object
from timba.runtime.progress import Progress
from timba.runtime.restore_marker import TABLE, clear_mark, set_mark, unfinished_restore
from timba.temperatures.lake import CATALOG_TABLES, FOLDER
from timba.temperatures.models import DataVersion
from timba.temperatures.services import renew_data_version

_BATCH: Final = 1000
_INDEX_TABLES: Final = index_tables(FileText._meta.db_table)
# Rows of these models are made by `migrate`.
_MADE_BY_MIGRATE: Final = ("contenttypes.contenttype", "auth.permission", "accounts.role")


def restore_backup(
    folder: Path, *, name: str | None, skip_damaged: bool, output: OutputWrapper
) -> Manifest:
    """Restore the newest backup in `folder`, or the one with this name; return its manifest.

    With `skip_damaged`, objects that are missing or damaged in the backup are left out.

    Raises CommandError, before it writes anything, where the backup is damaged or of a later
    version, and where the database or the object store is not empty.
    """
    backups = BackupFolder(folder)
    name = _choose(backups, name)
    with backups.locked():
        manifest = backups.manifest(name)
        is_repeated = unfinished_restore() is not None
        targets = _migration_targets(manifest)
        _check_store()
        if not is_repeated:
            _check_is_empty()
        restore = _Restore(backups, name, manifest, output=output)
        restore.verify(skip_damaged=skip_damaged)
        set_mark(name)
        _drop_tables()
        restore.load_rows(targets)
        restore.copy_objects(is_repeated=is_repeated)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        _begin_anew()
        clear_mark()
    return manifest


def verify_backup(folder: Path, *, name: str | None, output: OutputWrapper) -> Manifest:
    """Read every file of a backup, the newest by default; return its manifest.

    Raises CommandError where a file is missing, damaged or unreadable.
    """
    backups = BackupFolder(folder)
    name = _choose(backups, name)
    with backups.locked():
        manifest = backups.manifest(name)
        _Restore(backups, name, manifest, output=output).verify(skip_damaged=False)
    return manifest


class _Restore:
    """A snapshot that is being restored."""

    def __init__(
        self, backups: BackupFolder, name: str, manifest: Manifest, *, output: OutputWrapper
    ) -> None:
        self._backups, self._path = backups, backups.snapshot(name)
        self._manifest, self._output = manifest, output
        self._damaged: set[str] = set()

    def verify(self, *, skip_damaged: bool) -> None:
        """Raise CommandError where a file of the backup is missing or damaged.

        With `skip_damaged`, objects that are missing or damaged are not restored instead.
        """
        problems = list(self._damaged_files())
        are_rows_damaged = bool(problems)
        progress = Progress(self._output, "Verified", self._manifest.objects.count)
        for entry in () if are_rows_damaged else self._objects():
            progress.advance(size=entry.size or 0)
            problem = _problem(partial(check_object, entry, source=self._backups.objects))
            if problem:
                self._damaged.add(entry.key)
                problems.append(f"objects/{entry.key}, {entry.owner}, {problem}.")
        progress.finish()
        for sentence in problems:
            self._output.write(sentence)
        if are_rows_damaged or (problems and not skip_damaged):
            raise CommandError(
                f"Missing or damaged files of the backup: {len(problems):,}. See above. Nothing "
                "was restored: use a copy of the backup. Or restore an earlier one with "
                "--snapshot, or if only objects are damaged, all others with --skip-damaged."
            )

    def load_rows(self, targets: list[tuple[str, str]]) -> None:
        """Make the tables as they were, and load the rows."""
        executor = MigrationExecutor(connection)
        executor.migrate(targets)
        then = executor.loader.project_state(targets).apps
        models = {file.model: then.get_model(file.model) for file in self._manifest.rows}
        with connection.cursor() as cursor:
            # Migrations have made some rows themselves, such as the built-in roles.
            for model in reversed(models.values()):
                cursor.execute(f"DELETE FROM {_quoted_table(model)}")  # noqa: S608 - a quoted name
        for file in self._manifest.rows:
            self._load(file, models[file.model])

    def copy_objects(self, *, is_repeated: bool) -> None:
        """Copy all objects; if the restore is repeated, those that are not there yet."""
        progress = Progress(self._output, "Objects", self._manifest.objects.count)
        for entry in self._objects():
            progress.advance(size=entry.size or 0)
            if entry.key in self._damaged:
                continue
            if is_repeated:
                if store().exists(entry.key) and store().size(entry.key) == entry.size:
                    continue
                store().purge(entry.key)
            try:
                copy_object(entry, source=self._backups.objects, target=store())
            except OSError as error:
                raise CommandError(
                    f"The object {entry.key} cannot be stored: {error}. Correct that, and run "
                    "`restore` with the same folder again."
                ) from error
        progress.finish()

    def _objects(self) -> Iterator[ObjectEntry]:
        return read_objects(self._path / self._manifest.objects.path)

    def _damaged_files(self) -> Iterator[str]:
        files: list[RowsFile | ObjectsFile] = [*self._manifest.rows, self._manifest.objects]
        for file in files:
            path = self._path / file.path
            problem = _problem(partial(_check_file, path, sha256=file.sha256))
            if problem:
                yield f"{path.relative_to(self._backups.path)} {problem}."

    def _load(self, rows_file: RowsFile, model: Any) -> None:
        """Insert the rows of a file in one transaction."""
        fields = [model._meta.get_field(name) for name in rows_file.columns]
        progress = Progress(self._output, f"Rows of {rows_file.model}", rows_file.rows)
        load, lines = row_loader(fields), read_lines(self._path / rows_file.path)
        with transaction.atomic(), connection.cursor() as cursor:
            while batch := [load(line) for line in islice(lines, _BATCH)]:
                _insert(cursor, model, fields, batch)
                progress.advance(len(batch))
        if rows_file.last_number is not None:
            set_last_number(model, rows_file.last_number)


def _problem(check: Callable[[], None]) -> str:
    """Return what is wrong with a file of the backup, or an empty string."""
    try:
        check()
    except (FileNotFoundError, FileDamaged, SuspiciousFileOperation):
        return "is missing or damaged"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _check_file(path: Path, *, sha256: str) -> None:
    if file_sha256(path) != sha256:
        raise FileDamaged


def _choose(backups: BackupFolder, name: str | None) -> str:
    names = backups.names()
    if not names:
        raise CommandError(f"{backups.path} holds no backup.")
    if name is None:
        return names[-1]
    if name not in names:
        raise CommandError(f"{backups.path} holds no backup {name}. It holds {', '.join(names)}.")
    return name


def _migration_targets(manifest: Manifest) -> list[tuple[str, str]]:
    """Return the last migration of each app; raise CommandError if this Timba lacks one."""
    graph = MigrationExecutor(connection).loader.graph
    applied = {(app, name) for app, name in manifest.migrations}
    for app, name in sorted(applied):
        if (app, name) not in graph.nodes:
            raise CommandError(
                f"The backup was made by Timba {manifest.version} and needs its migration {name} "
                f"of {app}, which this version does not have. Restore it with Timba "
                f"{manifest.version} or a later one."
            )

    def is_last(key: tuple[str, str]) -> bool:
        later = {child.key for child in graph.node_map[key].children}
        return not any(app == key[0] for app, _ in later & applied)

    return sorted(filter(is_last, applied))


def _check_store() -> None:
    """Raise CommandError unless objects can be stored."""
    try:
        store().check()
    except (ImproperlyConfigured, OSError) as error:
        raise CommandError(f"The object store cannot be used. {error}") from error


def _check_is_empty() -> None:
    """Raise CommandError unless the database holds no rows, and the store no objects.

    The lake may be there: its catalog is dropped with all tables, and a new one ignores the rest.
    """
    ignored = {apps.get_model(label)._meta.db_table for label in (*LEFT_OUT, *_MADE_BY_MIGRATE)}
    ignored |= {
        TABLE,
        *_INDEX_TABLES,
        *CATALOG_TABLES,
        "django_migrations",
        settings.CACHES["default"].get("LOCATION"),
    }
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table in ignored:
                continue
            cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608 - the database's own name
            if cursor.fetchone():
                raise CommandError(
                    f"The database has rows in the table {table}. A backup is restored into an "
                    "empty database only: create one, and name it in DATABASE_URL."
                )
    objects = (found for found in store().list_objects() if not found.key.startswith(f"{FOLDER}/"))
    found = next(objects, None)
    if found is not None:
        raise CommandError(
            f"The object store holds objects, such as {found.key}. A backup is restored into an "
            "empty one only: name an empty folder in TIMBA_DATA_DIR, or an empty bucket in "
            "STORAGE_URL."
        )


def _drop_tables() -> None:
    """Drop all tables but the mark: they are empty, or left by an interrupted restore."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        # An index goes with its first table.
        tables = [table for table in tables if table not in {TABLE, *_INDEX_TABLES[1:]}]
        cascade = " CASCADE" if connection.vendor == "postgresql" else ""
        with connection.constraint_checks_disabled():
            for table in tables:
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}{cascade}")


def _insert(cursor: Any, model: type[Model], fields: list[Any], rows: list[list[Any]]) -> None:
    """Insert rows by plain SQL: there may be millions of them."""
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    table = f"{_quoted_table(model)} ({columns})"
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join(["%s"] * len(fields))
        cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - quoted names


def _quoted_table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def next_epoch(highest: int) -> int:
    """Return the epoch to begin: the time in minutes, or one more than the highest so far.

    A backup that is restored a second time must not begin the same epoch again.
    """
    return max(highest + 1, int(time.time() // 60))


@transaction.atomic
def _begin_anew() -> None:
    """End all sign-ins and cached statistics, process waiting files, begin an epoch of events."""
    User.unscoped.update(token_version=F("token_version") + 1)
    File.unscoped.filter(status=File.Status.PENDING).update(
        attempts=0, progress=0, rows_read=None, lease_until=None, notified_at=None
    )
    # Deleted files that were due to be erased are not in the backup.
    for wrong in find_wrong_counts():
        recount(wrong.client_id)
    # A statistic that is cached under a version of the backup may count readings that came later.
    for client_id in list(DataVersion.unscoped.values_list("client_id", flat=True)):
        renew_data_version(client_id=client_id)
    highest = max(Stream.objects.values_list("epoch", flat=True), default=0)
    epoch = next_epoch(highest)
    Stream.objects.update(epoch=epoch)
    with_stream = Stream.objects.values("client_id")
    without = Client.unscoped.exclude(pk__in=with_stream).values_list("pk", flat=True)
    Stream.objects.bulk_create(Stream(client_id=client_id, epoch=epoch) for client_id in without)
