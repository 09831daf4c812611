"""A backup is restored exactly, into an empty database and store only, and as a new epoch."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from tests.clients import api_client_of, browser_of
from tests.conftest import Elsewhere
from tests.factories import ClientFactory, Tenant
from tests.runtime.conftest import Run, manifest_path
from tests.temperatures.uploads import receive_readings, settle_readings
from timba.accounts.models import Subscription, User
from timba.accounts.tokens import issue_tokens
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, DeletedConsignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment, restore_consignment
from timba.events.models import OutboxEvent, Stream
from timba.files.leases import claim
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.search import search_files
from timba.files.services import delete_file, link_file
from timba.files.storage import store
from timba.files.trash import deleted_files, restore_file
from timba.notes.models import Note
from timba.notes.services import delete_note, write_note
from timba.runtime import bootstrap, restore
from timba.runtime.backup_format import (
    BACKED_UP,
    Manifest,
    RowsFile,
    read_lines,
    write_lines,
)
from timba.runtime.restore_marker import check_not_being_restored
from timba.temperatures.lake import CATALOG_TABLES, FOLDER
from timba.temperatures.models import DataVersion
from timba.temperatures.statistics.cities import city_statistics

pytestmark = pytest.mark.only_on("sqlite")

# The last migrations of an earlier version, of the apps that have later ones, and later models.
EARLIER = {
    "accounts": "0004_token_families",
    "consignments": "0001_initial",
    "files": "0003_standard_names",
    "notes": "0001_initial",
}
NEW_MODELS = {
    "consignments.deletedconsignment",
    "consignments.deletedlog",
    "files.filetext",
    "files.importprofile",
    "files.ocrjob",
}
# What a restore changes on purpose.
CHANGED = {
    "accounts.user": "token_version",
    "events.stream": "epoch",
    "files.file": "lease_until",
    "temperatures.dataversion": "version",
}


def all_rows() -> dict[str, list[dict[str, Any]]]:
    rows = {}
    for label in BACKED_UP:
        found = list(apps.get_model(label)._base_manager.order_by("pk").values())
        rows[label] = [{k: v for k, v in row.items() if k != CHANGED.get(label)} for row in found]
    return rows


def all_objects() -> dict[str, str]:
    hashes = {}
    for found in store().list_objects():
        with store().open_bytes(found.key) as stream:
            hashes[found.key] = hashlib.sha256(stream.read()).hexdigest()
    return hashes


def test_every_row_and_object_is_restored(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    headers = {"Idempotency-Key": "note"}
    note = api_client_of(company.user).post("/api/notes/", {"title": "Seal"}, headers=headers)
    run("backup", tmp_path / "backup")
    rows, objects = all_rows(), all_objects()
    assert [
        label
        for label in ("api.idempotentrequest", "files.derivative", "files.filetext")
        if not rows[label]
    ] == []
    with elsewhere():
        call_command("migrate", verbosity=0)  # what `serve` may have done
        call_command("createcachetable", verbosity=0)
        printed = run("restore", tmp_path / "backup")
        assert all_rows() == rows
        assert all_objects() == objects
        # Only the text: the names are keys of rows.
        File.unscoped.update(name_key="")
        files = File.objects.visible_to(company.user)
        assert search_files(files, company.word, viewer=company.user).get() == company.file
        user = User.unscoped.get(pk=company.user.pk)
        repeated = api_client_of(user).post("/api/notes/", {"title": "Seal"}, headers=headers)
        assert repeated.json() == note.json()
    assert "Problems found: 0, mended: 0.\n" in printed
    assert printed.endswith(" is restored. All users have to sign in again.\n")


def test_all_sign_ins_end(company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere) -> None:
    tokens = issue_tokens(user=company.user)
    browser = browser_of(company.user)
    assert browser.get("/consignments/").status_code == 200
    run("backup", tmp_path / "backup")
    with elsewhere():
        run("restore", tmp_path / "backup")
        api_client = APIClient()
        bearer = {"authorization": f"Bearer {tokens.access}"}
        assert api_client.get("/api/notes/", headers=bearer).status_code == 401
        refresh = {"refresh": tokens.refresh}
        assert api_client.post("/api/token/refresh/", refresh).status_code == 401
        assert browser.get("/consignments/").status_code == 302
        version = User.unscoped.get(pk=company.user.pk).token_version
        assert version == company.user.token_version + 1
        assert api_client_of(company.user).get("/api/notes/").status_code == 401
        again = User.unscoped.get(pk=company.user.pk)
        assert api_client_of(again).get("/api/notes/").status_code == 200


def test_events_go_on_in_a_higher_epoch_and_ids_where_they_were(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    ClientFactory(pk=9_000_001)  # has no events yet
    following = api_client_of(company.user).get("/api/events/").json()["next"]
    read = Stream.objects.get(client_id=company.client.pk).last_sequence
    note = write_note(actor=company.user, client=company.client, title="deleted")
    deleted_id = note.pk
    delete_note(actor=company.user, note=note)
    last = Stream.objects.get(client_id=company.client.pk).last_sequence
    run("backup", tmp_path / "backup")
    write_note(actor=company.user, client=company.client, title="lost")
    with elsewhere():
        run("restore", tmp_path / "backup")
        user = User.unscoped.get(pk=company.user.pk)
        # Events still refer to the note that was deleted.
        assert write_note(actor=user, client=user.client, title="after").pk == deleted_id + 1
        event = OutboxEvent.objects.get(client_id=user.client_id, sequence=last + 1)
        assert event.epoch > 1
        assert set(Stream.objects.values_list("client_id", "epoch")) == {
            (company.client.pk, event.epoch),
            (9_000_001, event.epoch),
        }
        response = api_client_of(user).get(following)
        assert response.status_code == 409
        assert response.json()["detail"].endswith(f"Go on with after={event.epoch}.{read}.")


def test_a_deleted_consignment_can_be_restored_from_a_backup_and_its_ids_are_not_given_again(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    load = open_consignment(
        actor=company.user, client=company.client, name="Lorry 9", type="hardwood"
    )
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    log = add_log(actor=company.user, consignment=load, **size)
    link_file(actor=company.user, file=company.file, consignment=load, log=log)
    delete_consignment(actor=company.user, consignment=load)
    run("backup", tmp_path / "backup")
    with elsewhere():
        run("restore", tmp_path / "backup")
        user = User.unscoped.get(pk=company.user.pk)
        new = open_consignment(actor=user, client=user.client, name="Lorry 10", type="hardwood")
        added = add_log(actor=user, consignment=new, **size)
        assert (new.pk, added.pk) == (load.pk + 1, log.pk + 1)
        deleted = DeletedConsignment.unscoped.get(pk=load.pk)
        restored = restore_consignment(actor=user, deleted=deleted)
        assert (restored.pk, restored.logs.get().pk) == (load.pk, log.pk)
        file = File.unscoped.get(pk=company.file.pk)
        assert (file.consignment_id, file.log_id) == (load.pk, log.pk)


def test_no_statistic_cached_before_a_restore_is_found_after_it(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    settle_readings("7,20.5,2026-01-01T00:00:00Z\n", actor=company.user)
    version = DataVersion.unscoped.get(client=company.client).version
    run("backup", tmp_path / "backup")
    with elsewhere():
        run("restore", tmp_path / "backup")
        assert DataVersion.unscoped.get(client=company.client).version != version


def test_the_same_backup_begins_another_epoch_each_time() -> None:
    with time_machine.travel("2026-11-29T09:30:00Z", tick=False):
        first = restore.next_epoch(1)
    with time_machine.travel("2026-11-29T09:31:00Z", tick=False):
        assert restore.next_epoch(1) == first + 1
    assert restore.next_epoch(10**9) == 10**9 + 1


def test_a_file_that_was_being_processed_is_processed_again_and_erased_bytes_do_not_count(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere, settings: Settings
) -> None:
    file = receive_readings("7,20.5,2026-01-01T00:00:00Z\n", actor=company.user)
    assert claim(file.pk) is not None
    delete_file(actor=company.user, file=company.file)
    settings.TIMBA_TRASH_DAYS = 0
    run("backup", tmp_path / "backup")
    with elsewhere():
        run("restore", tmp_path / "backup")
        row = File.unscoped.get()
        assert (row.pk, row.status, row.attempts, row.lease_until) == (file.pk, "PENDING", 0, None)
        assert Subscription.objects.get(client=company.client).used_bytes == file.size
        assert process_file(file.pk)
        row.refresh_from_db()
        assert row.status == "SUCCESS"


def test_the_trash_of_a_backup_can_be_restored(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    before = city_statistics(client_id=company.client.pk, city_id=company.city_id)
    assert before is not None
    delete_file(actor=company.user, file=company.file)
    run("backup", tmp_path / "backup")
    with elsewhere():
        run("restore", tmp_path / "backup")
        user = User.unscoped.get(pk=company.user.pk)
        [deleted] = deleted_files(user)
        assert deleted.deleted_by_id == user.pk
        restored = restore_file(actor=user, file=deleted)
        assert (restored.status, restored.log_id) == ("SUCCESS", company.log.pk)
        assert city_statistics(client_id=company.client.pk, city_id=company.city_id) == before


def test_a_backup_of_an_earlier_version_is_migrated(
    company: Tenant, tmp_path: Path, run: Run, elsewhere: Elsewhere
) -> None:
    folder = tmp_path / "backup"
    run("backup", folder)
    make_it_earlier(folder)
    with elsewhere():
        run("restore", folder)
        word = company.word.casefold()
        assert Log.unscoped.values_list("barcode_key", "barcode_search_key").get() == (word, word)
        assert Consignment.unscoped.get().name_key == word
        assert Note.unscoped.get().title_key == word
        assert File.unscoped.get().name_key == f"{word}.csv"
        assert set(Derivative.objects.values_list("size", "sha256")) == {(None, "")}
        assert all_objects().keys() == {
            company.file.storage_key,
            *Derivative.objects.values_list("storage_key", flat=True),
        }


def make_it_earlier(folder: Path) -> None:
    """Make the backup one of the version before derivatives had hashes, and barcodes keys."""
    path = manifest_path(folder)
    manifest = Manifest.loads(path.read_bytes())
    migrations = [
        (app, name) for app, name in manifest.migrations if name <= EARLIER.get(app, name)
    ]
    then = MigrationLoader(connection).project_state(migrations).apps
    rows = [
        _without_new_columns(path.parent, file, then.get_model(file.model))
        for file in manifest.rows
        if file.model not in NEW_MODELS
    ]
    path.write_bytes(replace(manifest, migrations=migrations, rows=rows).dumps())


def _without_new_columns(snapshot: Path, file: RowsFile, model: type[Model]) -> RowsFile:
    names = {field.attname for field in model._meta.concrete_fields}
    rows = list(read_lines(snapshot / file.path))
    kept = [number for number, name in enumerate(file.columns) if name in names]
    (snapshot / file.path).unlink()
    lines = (orjson.dumps([row[number] for number in kept]) for row in rows)
    _, sha256 = write_lines(snapshot / file.path, lines)
    return replace(file, columns=[file.columns[number] for number in kept], sha256=sha256)


def test_a_sound_backup_is_verified_without_a_restore(backup: Path, run: Run) -> None:
    rows = all_rows()
    assert run("restore", backup, verify=True).endswith("is complete and undamaged.\n")
    assert all_rows() == rows


def test_the_rest_of_a_backup_with_a_damaged_object_is_restored_on_request(
    backup: Path, run: Run, elsewhere: Elsewhere
) -> None:
    rows, objects = all_rows(), all_objects()
    damaged = File.unscoped.get().storage_key
    (backup / "objects" / damaged).unlink()
    with elsewhere():
        with pytest.raises(CommandError, match=r"Problems that are left: 1\. See above\."):
            run("restore", backup, skip_damaged=True)
        assert all_rows() == rows
        assert all_objects() == {key: digest for key, digest in objects.items() if key != damaged}


def test_an_interrupted_restore_keeps_timba_from_starting_and_can_be_repeated(
    backup: Path, run: Run, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, objects = all_rows(), all_objects()
    original = File.unscoped.get().storage_key

    def interrupt(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with elsewhere():
        for step in ("copy_object", "_begin_anew"):
            with monkeypatch.context() as patch:
                patch.setattr(restore, step, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    run("restore", backup)
            with pytest.raises(CommandError, match=r"The restore of the backup \w+ into this data"):
                bootstrap.prepare()
            store().purge(original)
            with store().create(original) as writer:
                writer.write(b"half")
        run("restore", backup)
        assert (all_rows(), all_objects()) == (rows, objects)
        check_not_being_restored()


def test_a_lake_that_is_still_there_is_begun_anew(
    backup: Path, run: Run, elsewhere: Elsewhere
) -> None:
    with elsewhere():
        with connection.cursor() as cursor:
            for table in CATALOG_TABLES:
                cursor.execute(f"CREATE TABLE {table} (name text)")
                cursor.execute(f"INSERT INTO {table} VALUES ('timba')")
        with store().create(f"{FOLDER}/readings") as writer:
            writer.write(b"metadata")
        run("restore", backup)
        assert not set(CATALOG_TABLES) & set(connection.introspection.table_names())
        assert File.unscoped.exists()
