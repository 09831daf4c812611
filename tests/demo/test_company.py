"""The demo company is created through the services, once, with plausible numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db.models import Count, Sum
from django.test import override_settings
from PIL import ExifTags, Image
from pytest_django import DjangoDbBlocker

from timba.accounts.models import Client, User
from timba.accounts.services import create_administrator
from timba.consignments.models import Consignment, Log
from timba.demo import company
from timba.demo.consignments import LOADS
from timba.demo.files import PHOTOS, READINGS, YARDS, season_of_readings
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.sandbox import close_sandbox
from timba.notes.models import Note
from timba.temperatures.lines.parsing import Reading, parse_line

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    backend = "timba.files.storage.LocalStorage"
    store = {"BACKEND": backend, "OPTIONS": {"location": folder / "files"}}
    stores = {**settings.STORAGES, "default": store}
    with override_settings(TIMBA_DATA_DIR=folder, STORAGES=stores):
        yield folder


@pytest.fixture(scope="module")
def loaded(_module_transaction: DjangoDbBlocker, data_folder: Path) -> str:
    """Load the company once; return the message with its sign-ins."""
    with _module_transaction.unblock():
        create_administrator(username="admin", password="admin")
        assert company.should_load()
        with time_machine.travel(NOW):
            message = company.load_company(administrator="admin")
        assert not company.should_load()
    return message


def test_the_company_has_users_consignments_files_and_notes(
    db: None, loaded: str, data_folder: Path
) -> None:
    client = Client.unscoped.get(name="Abava Timber")
    people = User.unscoped.filter(client=client).order_by("id")
    assert [user.role.name for user in people] == ["owner", "manager", "operator", "viewer"]
    for user in people:
        [line] = [line for line in loaded.splitlines() if f" {user.username} " in line]
        assert user.check_password(line.split()[2])

    [stored] = data_folder.glob("demo-sign-ins*")
    assert stored.stat().st_mode & 0o777 == 0o600
    assert stored.read_text().strip() in loaded

    consignments = Consignment.unscoped.annotate(logs_there=Count("logs"), sum=Sum("logs__volume"))
    assert {c.name for c in consignments} == {load.name for load in LOADS}
    for consignment in consignments:
        assert (consignment.log_count, consignment.volume) == (
            consignment.logs_there,
            consignment.sum,
        )
        assert Decimal(10) < consignment.volume < Decimal(30), "a lorry carries about that much"

    kinds = File.unscoped.values_list("kind").annotate(Count("id")).order_by("kind")
    assert list(kinds) == [
        ("photo", 4),
        ("tally", 1),
        ("temperatures", 3),
        ("text", 1),
    ]
    gate_note = File.unscoped.get(kind="text")
    text = (data_folder / "files" / gate_note.storage_key).read_text()
    assert f"Volume       {gate_note.consignment.volume} m³" in text
    assert Note.unscoped.filter(client=client).count() == 4
    assert OutboxEvent.objects.filter(topic="log_events").count() == Log.unscoped.count()


@pytest.mark.usefixtures("db", "loaded")
def test_the_tally_sheet_adds_valid_rows_and_rejects_invalid_ones() -> None:
    sheet = File.unscoped.get(kind="tally")
    assert process_file(sheet.pk)
    close_sandbox()
    sheet.refresh_from_db()
    assert sheet.status == File.Status.SUCCESS
    assert (sheet.result["accepted"], sheet.result["rejected"]) == (12, 2)
    assert Decimal(10) < Consignment.unscoped.get(pk=sheet.consignment_id).volume < Decimal(30)


@pytest.mark.usefixtures("db", "loaded")
def test_photos_have_exif_metadata_and_all_differ(data_folder: Path) -> None:
    files = {file.name: file for file in File.unscoped.filter(kind="photo")}
    stored = {
        photo: (data_folder / "files" / files[photo.name].storage_key).read_bytes()
        for photo in PHOTOS
    }
    assert len(set(stored.values())) == len(PHOTOS)
    for photo, content in stored.items():
        picture = Image.open(io.BytesIO(content), formats=["JPEG"])
        assert picture.size == (1600, 1200)
        colours = picture.resize((40, 30)).getcolors(1200)
        assert colours is not None
        assert len(colours) > 500, "there is something to see"
        exif = picture.getexif()
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == photo.camera
        taken_at = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        assert taken_at.startswith("2026:11:21")
        assert bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) == (photo.location is not None)


@pytest.mark.parametrize("yard", YARDS, ids=lambda yard: yard.city)
@pytest.mark.parametrize(
    ("month", "coldest", "warmest"), [(11, -15, 33), (1, -25, 18), (7, -6, 37)]
)
def test_a_season_of_readings_is_regular_and_fits_the_weather(
    yard: Any, month: int, coldest: int, warmest: int
) -> None:
    until = NOW.replace(month=month)
    header, *lines = season_of_readings(yard, until=until).splitlines()
    assert header == b"city_id,temperature,timestamp"
    parsed = [parse_line(line) for line in lines]
    readings = [one for one in parsed if isinstance(one, Reading)]
    assert len(parsed) - len(readings) == len(yard.invalid_lines)
    assert len(readings) == READINGS
    assert {one.city for one in readings} == {yard.city_id}
    assert all(coldest * 100 < one.hundredths < warmest * 100 for one in readings)
    steps = {b.at - a.at for a, b in pairwise(readings)}
    assert steps == {600_000_000}
    last = datetime.fromtimestamp(readings[-1].at / 1_000_000, UTC)
    assert last == until.replace(minute=0)
