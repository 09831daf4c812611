"""What is restored from and into is checked first: nothing is written where it cannot be."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from tests.conftest import Elsewhere
from tests.runtime.conftest import Run, manifest_path
from timba.accounts.models import User
from timba.accounts.services import create_administrator
from timba.files.models import File
from timba.files.storage import store
from timba.runtime.backup_format import BackupFolder, Manifest, file_sha256
from timba.runtime.restore import verify_backup

pytestmark = pytest.mark.only_on("sqlite")


def test_a_backup_of_a_later_version_is_refused(
    backup: Path, run: Run, elsewhere: Elsewhere
) -> None:
    path = manifest_path(backup)
    manifest = Manifest.loads(path.read_bytes())
    migrations = [*manifest.migrations, ("notes", "0099_colours")]
    path.write_bytes(replace(manifest, migrations=migrations, version="9.1").dumps())
    sentence = "made by Timba 9.1 and needs its migration 0099_colours of notes"
    with elsewhere(), pytest.raises(CommandError, match=sentence):
        run("restore", backup)


def test_a_database_with_rows_is_refused(backup: Path, run: Run, elsewhere: Elsewhere) -> None:
    with elsewhere():
        call_command("migrate", verbosity=0)
        create_administrator(username="admin", password="admin")
        with pytest.raises(CommandError, match="has rows in the table accounts_user"):
            run("restore", backup)
        assert User.unscoped.get().username == "admin"


def test_a_store_with_objects_is_refused(backup: Path, run: Run, elsewhere: Elsewhere) -> None:
    with elsewhere():
        with store().create("aa/other") as writer:
            writer.write(b"other")
        with pytest.raises(CommandError, match="holds objects, such as aa/other"):
            run("restore", backup)
        assert connection.introspection.table_names() == []


def _first_rows(folder: Path) -> Path:
    return manifest_path(folder).parent / "rows" / "files.file.jsonl.gz"


def _first_object(folder: Path) -> Path:
    return folder / "objects" / File.unscoped.get().storage_key


@pytest.mark.parametrize("damaged", [_first_rows, _first_object])
@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_damaged_backup_is_refused_before_anything_is_written(
    damaged: Callable[[Path], Path], damage: str, backup: Path, run: Run, elsewhere: Elsewhere
) -> None:
    path = damaged(backup)
    content = path.read_bytes()
    path.unlink()
    if damage == "flip":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with elsewhere():
        with pytest.raises(CommandError, match="damaged files of the backup: 1"):
            run("restore", backup)
        assert connection.introspection.table_names() == []
        assert list(store().list_objects()) == []


def test_a_file_that_cannot_be_read_is_named_with_the_reason(backup: Path) -> None:
    path = _first_object(backup)
    path.unlink()
    path.symlink_to(path.name)  # root may read every file, but no loop of links
    out = io.StringIO()
    with pytest.raises(CommandError, match="damaged files of the backup: 1"):
        verify_backup(backup, name=None, output=OutputWrapper(out))
    sentence = out.getvalue().splitlines()[-1]
    assert sentence.startswith(f"{path.relative_to(backup)}, ")
    assert sentence.endswith(", cannot be read: Too many levels of symbolic links.")


def test_a_manifest_that_cannot_be_read_is_named(backup: Path, run: Run) -> None:
    path = manifest_path(backup)
    path.unlink()
    path.mkdir()
    with pytest.raises(CommandError, match=f"{path} cannot be read: Is a directory"):
        run("restore", backup, verify=True)


def test_a_key_that_leads_out_of_the_store_is_refused(
    backup: Path, run: Run, elsewhere: Elsewhere
) -> None:
    (backup / "evil").write_bytes(b"")
    path = manifest_path(backup)
    entries = path.parent / "objects.jsonl.gz"
    entries.write_bytes(gzip.compress(b'["../evil",0,"","yard.csv"]\n'))
    manifest = Manifest.loads(path.read_bytes())
    objects = replace(manifest.objects, count=1, sha256=file_sha256(entries))
    path.write_bytes(replace(manifest, objects=objects).dumps())
    with elsewhere():
        with pytest.raises(CommandError, match="damaged files of the backup: 1"):
            run("restore", backup)
        assert list(store().list_objects()) == []


def test_a_folder_without_a_backup_and_an_unknown_name_are_refused(
    backup: Path, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="holds no backup\\."):
        run("restore", tmp_path)
    [name] = BackupFolder(backup).names()
    with pytest.raises(CommandError, match=f"holds no backup yesterday. It holds {name}."):
        run("restore", backup, snapshot="yesterday")
