"""A backup is a consistent snapshot with every object that its rows name, and can be repeated."""

from __future__ import annotations

import errno
import gzip
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.factories import Tenant
from tests.runtime.conftest import Run
from tests.temperatures.uploads import receive_readings, settle_readings
from timba.events.models import OutboxEvent
from timba.files.models import Derivative, ErasureHold, File
from timba.files.receiving import Upload
from timba.files.services import delete_file
from timba.folder_lock import folder_lock
from timba.runtime import backup as module
from timba.runtime.backup_format import BackupFolder, Manifest, read_lines, read_objects

# Of the company: its file, and what was derived from it.
OBJECTS = 6


def newest(folder: Path) -> Manifest:
    backups = BackupFolder(folder)
    return backups.manifest(backups.names()[-1])


def rows(folder: Path, label: str) -> list[Any]:
    backups = BackupFolder(folder)
    return list(read_lines(backups.snapshot(backups.names()[-1]) / f"rows/{label}.jsonl.gz"))


def stored(folder: Path) -> set[str]:
    return {found.key for found in BackupFolder(folder).objects.list_objects()}


@pytest.fixture(autouse=True)
def _a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each backup of a test have a name of its own, which is otherwise a whole second."""
    names = iter(f"20261129T0930{number:02}Z" for number in range(60))
    monkeypatch.setattr(module, "snapshot_name", lambda moment: next(names))


def test_a_backup_names_every_row_and_object(company: Tenant, tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "backup"
    printed = run("backup", folder)
    manifest = newest(folder)
    counts = {file.model: file.rows for file in manifest.rows}
    assert counts["files.file"] == 1
    events = OutboxEvent.objects.count()
    assert counts["events.outboxevent"] == len(rows(folder, "events.outboxevent")) == events
    keys = {company.file.storage_key, *_derivative_keys()}
    assert stored(folder) == keys
    snapshot = BackupFolder(folder).snapshot(BackupFolder(folder).names()[0])
    entries = {entry.key: entry for entry in read_objects(snapshot / manifest.objects.path)}
    assert entries.keys() == keys
    assert entries[company.file.storage_key].sha256 == company.file.sha256
    bytes_ = f"({manifest.objects.bytes:,} bytes)"
    assert f"has {sum(counts.values()):,} rows and {OBJECTS} objects {bytes_}" in printed


def _derivative_keys() -> set[str]:
    return set(Derivative.objects.values_list("storage_key", flat=True))


def test_only_the_account_of_timba_can_read_a_backup(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "backup"
    run("backup", folder)
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_backup_holds_no_key_and_no_password(
    company: Tenant, tmp_path: Path, run: Run, settings: Settings
) -> None:
    folder = tmp_path / "backup"
    run("backup", folder)
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content += gzip.decompress(content) if path.suffix == ".gz" else b""
            for secret in (settings.SECRET_KEY, settings.TIMBA_JWT_KEY, "larch-and-alder-48"):
                assert secret.encode() not in content


def test_a_second_backup_copies_new_objects_only(
    company: Tenant, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    run("backup", folder)
    added = settle_readings("7,20.5,2026-01-01T00:00:00Z\n", actor=company.user)
    copied: list[str] = []
    copy = module.copy_object

    def recorded(entry: Any, **stores: Any) -> Any:
        copied.append(entry.key)
        return copy(entry, **stores)

    monkeypatch.setattr(module, "copy_object", recorded)
    run("backup", folder)
    new = {derivative.storage_key for derivative in added.derivatives.all()}
    assert set(copied) == {added.storage_key, *new}
    assert newest(folder).objects.count == OBJECTS + 3


def test_what_is_in_progress_is_left_out(company: Tenant, tmp_path: Path, run: Run) -> None:
    upload = Upload(name="half.txt")
    upload.write(b"half")
    waiting = receive_readings("7,20.5,2026-01-01T00:00:00Z\n", actor=company.user)
    Derivative.objects.create(file=waiting, run=1, role="readings", storage_key="aa/unsettled")
    folder = tmp_path / "backup"
    run("backup", folder)
    upload.abort()
    assert {row[0] for row in rows(folder, "files.file")} == {
        *(str(company.file.pk), str(waiting.pk))
    }
    assert len(rows(folder, "files.derivative")) == OBJECTS - 1
    assert waiting.storage_key in stored(folder)


def test_a_file_without_readings_has_no_object_of_readings(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    refused = settle_readings("7,nonsense\n", actor=company.user)
    assert refused.derivatives.filter(role="readings").exists()
    run("backup", tmp_path / "backup")
    assert newest(tmp_path / "backup").failures == []
    assert len(rows(tmp_path / "backup", "files.derivative")) == OBJECTS


def test_deleted_files_are_kept_until_they_may_be_erased(
    company: Tenant, tmp_path: Path, run: Run, settings: Settings
) -> None:
    delete_file(actor=company.user, file=company.file)
    folder = tmp_path / "backup"
    run("backup", folder)
    assert len(rows(folder, "files.file")) == 1
    File.unscoped.update(erasing_since=timezone.now())
    run("backup", folder)
    assert rows(folder, "files.file") == []
    File.unscoped.update(erasing_since=None)
    settings.TIMBA_TRASH_DAYS = 0
    run("backup", folder)
    for label in ("files.file", "files.derivative", "files.filetext", "temperatures.citytotals"):
        assert rows(folder, label) == []


def test_a_damaged_and_a_missing_object_are_named_and_the_others_copied(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    other = settle_readings("8,20.5,2026-01-01T00:00:00Z\n", actor=company.user, name="8.csv")
    damaged = tmp_path / "store" / company.file.storage_key
    damaged.write_bytes(damaged.read_bytes().replace(b"21.5", b"99.5"))
    (tmp_path / "store" / other.storage_key).unlink()
    with pytest.raises(CommandError, match="not in the backup: 2"):
        run("backup", tmp_path / "backup", keep=1)
    changed = (
        f"“Kalnamuiza.csv” (file {company.file.pk}): the bytes of its object "
        f"{company.file.storage_key} are not those that were stored."
    )
    missing = f"“8.csv” (file {other.pk}): its object {other.storage_key} is missing."
    assert set(newest(tmp_path / "backup").failures) == {changed, missing}
    assert stored(tmp_path / "backup") == _derivative_keys()


def test_an_object_out_of_the_store_is_not_copied(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    File.unscoped.filter(pk=company.file.pk).update(storage_key="../keys.env")
    with pytest.raises(CommandError, match="not in the backup: 1"):
        run("backup", tmp_path / "backup")
    missing = f"“Kalnamuiza.csv” (file {company.file.pk}): its object ../keys.env is missing."
    assert newest(tmp_path / "backup").failures == [missing]


def test_keep_deletes_older_backups_and_objects_that_no_other_names(
    company: Tenant, tmp_path: Path, run: Run, settings: Settings
) -> None:
    folder = tmp_path / "backup"
    for _ in range(3):
        run("backup", folder)
    delete_file(actor=company.user, file=company.file)
    settings.TIMBA_TRASH_DAYS = 0
    run("backup", folder, keep=2)
    assert len(BackupFolder(folder).names()) == 2
    assert len(stored(folder)) == OBJECTS
    run("backup", folder, keep=1)
    assert len(BackupFolder(folder).names()) == 1
    assert stored(folder) == set()


def test_what_a_killed_backup_has_left_is_removed(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "backup"
    killed = folder / "snapshots" / "20261128T093000Z" / "rows"
    killed.mkdir(parents=True)
    (killed / "files.file.jsonl.gz").write_bytes(b"half")
    (folder / "objects" / "unfinished").mkdir(parents=True)
    name = company.file.storage_key.partition("/")[2]
    (folder / "objects" / "unfinished" / name).write_bytes(b"half")
    assert BackupFolder(folder).names() == []
    run("backup", folder)
    assert [path.name for path in (folder / "snapshots").iterdir()] == ["20261129T093000Z"]
    assert list((folder / "objects" / "unfinished").iterdir()) == []
    assert company.file.storage_key in stored(folder)


def test_two_backups_into_a_folder_are_made_one_after_the_other(
    company: Tenant, tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    with folder_lock(folder), pytest.raises(CommandError, match="Another backup or restore"):
        run("backup", folder)


def test_a_folder_of_other_files_is_refused(db: None, tmp_path: Path, run: Run) -> None:
    (tmp_path / "letters").touch()
    with pytest.raises(CommandError, match="holds other files, such as letters"):
        run("backup", tmp_path)


def test_a_folder_without_hard_links_is_refused(
    company: Tenant, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(CommandError, match="backup cannot be written to: Operation not permitted"):
        run("backup", tmp_path / "backup")


def test_a_folder_that_fails_is_not_taken_for_objects_that_cannot_be_read(
    company: Tenant, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        (tmp_path / "backup/objects/unfinished").rmdir()
        (tmp_path / "backup/objects/unfinished").touch()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "copy_object", fail)
    with pytest.raises(CommandError, match="backup cannot be written to: "):
        run("backup", tmp_path / "backup")
    assert BackupFolder(tmp_path / "backup").names() == []


def test_erasure_is_held_while_objects_are_copied(
    company: Tenant, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    copy = module.copy_object

    def copy_and_look(*args: Any, **options: Any) -> Any:
        held.append(ErasureHold.objects.filter(expires_at__gt=timezone.now()).exists())
        return copy(*args, **options)

    monkeypatch.setattr(module, "copy_object", copy_and_look)
    run("backup", tmp_path / "backup")
    assert held == [True] * OBJECTS
    assert not ErasureHold.objects.exists()
