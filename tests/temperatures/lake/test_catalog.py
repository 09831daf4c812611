"""Catalog and warehouse: by default where the database and the objects are."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from tests.journeys.timba_process import ROOT
from tests.servers import S3Server
from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from tests.temperatures.older_objects import make_older
from timba.accounts.models import User
from timba.config.env import parse_storage_url
from timba.files.s3 import S3Storage
from timba.files.services import delete_file
from timba.temperatures.lake import CATALOG_TABLES
from timba.temperatures.lake.catalog import catalog_url, object_address, warehouse
from timba.temperatures.management.commands import lake as command


def test_a_folder_and_a_file_of_the_data_folder_by_default(settings: Settings) -> None:
    folder = settings.TIMBA_DATA_DIR
    assert warehouse() == f"file://{folder}/lake"
    settings.TIMBA_LAKE_WAREHOUSE = "/srv/lake/"
    assert warehouse() == "file:///srv/lake"
    settings.TIMBA_LAKE_WAREHOUSE = "s3://elsewhere/lake/"
    assert warehouse() == "s3://elsewhere/lake"
    settings.TIMBA_LAKE_CATALOG = "postgresql://timba:s%3Acret@db.example:5433/lake"
    url = catalog_url()
    assert (url.drivername, url.password, url.port) == ("postgresql+psycopg", "s:cret", 5433)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong", ["mysql://timba:secret@db/timba", "timba:secret@db", "s:///secret"]
)
def test_a_wrong_catalog_is_refused_without_its_password(settings: Settings, wrong: str) -> None:
    settings.TIMBA_LAKE_CATALOG = wrong
    with pytest.raises(CommandError, match="is no address of a catalog") as refused:
        call_command("lake", once=True)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b"])
@pytest.mark.parametrize("place", ["warehouse", "objects"])
def test_a_folder_whose_address_is_ambiguous_is_refused(
    lake: Lake, settings: Settings, tmp_path: Path, name: str, place: str
) -> None:
    if place == "warehouse":
        settings.TIMBA_LAKE_WAREHOUSE = str(tmp_path / name)
    else:
        move_objects(settings, tmp_path / name)
    with pytest.raises(CommandError, match="The lake cannot be in file:///.*Move the folder"):
        call_command("lake", once=True)


def test_folders_may_have_blanks_and_letters_of_any_language(
    lake: Lake, settings: Settings, owner: User, settle: Receive, tmp_path: Path
) -> None:
    folder = tmp_path / "mežs un kokmateriāli; 2026"
    move_objects(settings, folder / "files")
    settings.TIMBA_LAKE_WAREHOUSE = str(folder / "lake")
    yard = settle("7,21.50,2026-06-01T12:00:00Z\n")
    settle("9,-3.05,2026-06-01T12:00:00Z\n", name="quay.csv")
    call_command("lake", once=True)
    delete_file(actor=owner, file=yard)
    call_command("lake", once=True)
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk) != {}
    (task,) = lake.table.scan().plan_files()
    assert Path(task.file.file_path.removeprefix("file://")).is_file()
    assert (folder / "lake/readings/metadata").is_dir()


def move_objects(settings: Settings, folder: Path) -> None:
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": folder}}
    settings.STORAGES = {**settings.STORAGES, "default": default}


@pytest.mark.django_db
@pytest.mark.only_on("sqlite")
def test_the_catalog_is_a_file_beside_the_database(settings: Settings) -> None:
    assert catalog_url().render_as_string() == f"sqlite:///{settings.TIMBA_DATA_DIR}/lake.sqlite3"


@pytest.mark.django_db
@pytest.mark.only_on("mysql")
def test_mariadb_is_no_catalog() -> None:
    with pytest.raises(ImproperlyConfigured, match="TIMBA_LAKE_CATALOG is not set"):
        catalog_url()


@pytest.mark.only_on("postgresql")
def test_the_catalog_is_in_the_same_postgresql(
    lake: Lake, settings: Settings, owner: User, settle: Receive
) -> None:
    settings.TIMBA_LAKE_CATALOG = ""
    try:
        settle("7,21.50,2026-06-01T12:00:00Z\n")
        lake.catch_up()
        with connection.cursor() as cursor:
            cursor.execute("SELECT catalog_name, table_name FROM iceberg_tables")
            assert cursor.fetchall() == [("timba", "readings")]
        assert set(CATALOG_TABLES) <= set(connection.introspection.table_names())
        assert lake.statistics(owner.client.pk) == counted(owner.client.pk) != {}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {', '.join(CATALOG_TABLES)}")


@pytest.mark.only_on("sqlite")
def test_objects_and_metadata_may_be_in_one_bucket(
    lake: Lake,
    settings: Settings,
    owner: User,
    settle: Receive,
    versitygw: S3Server,
) -> None:
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    options = parse_storage_url(versitygw.storage_url(bucket))
    S3Storage(**options).client.create_bucket(Bucket=bucket)
    default = {"BACKEND": "timba.files.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    settings.TIMBA_LAKE_WAREHOUSE = ""
    client_id = owner.client.pk
    yard = settle("7,21.50,2026-06-01T12:00:00Z\n")
    make_older(yard)
    settle("9,-3.05,2026-06-01T12:00:00Z\n", name="quay.csv")
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 9}
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert lake.table.location() == f"s3://{bucket}/lake/readings"
    assert object_address("00/1") == f"s3://{bucket}/00/1"
    # Its metadata is no orphaned object, however old.
    call_command("fsck", "--deep")


def test_only_its_command_loads_pyiceberg(tmp_path: Path) -> None:
    """The web server, the workers and the relay start without the extra."""
    code = (
        "import sys, django; django.setup(); import timba.config.urls, timba.config.celery; "
        "import timba.files.worker, timba.events.relay; sys.exit('pyiceberg' in sys.modules)"
    )
    environment = {**os.environ, "TIMBA_DATA_DIR": str(tmp_path)}
    environment["DJANGO_SETTINGS_MODULE"] = "timba.config.settings.base"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


@pytest.mark.django_db
def test_without_the_extra_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "HAS_EXTRA", False)
    with pytest.raises(CommandError, match="requirements-lake.txt"):
        call_command("lake")
