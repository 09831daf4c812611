"""The demo company is created through the services, once, with plausible numbers."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Count, Sum
from PIL import ExifTags, Image

from timba.accounts.models import Client, User
from timba.accounts.services import create_administrator
from timba.consignments.models import Consignment, Log
from timba.demo import company
from timba.demo.consignments import LOADS
from timba.demo.drawing import draw_photo
from timba.demo.files import PHOTOS, YARDS, month_of_readings
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.sandbox import close_sandbox
from timba.notes.models import Note
from timba.temperatures.parsing import Reading, parse_line

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def data_folder(settings: Any, tmp_path: Path) -> Path:
    settings.TIMBA_DATA_DIR = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "timba.files.storage.LocalStorage",
            "OPTIONS": {"location": tmp_path / "files"},
        },
    }
    return tmp_path


def test_the_company_has_users_consignments_files_and_notes(db: None, data_folder: Path) -> None:
    create_administrator(username="admin", password="admin")
    assert company.should_load()
    message = company.load_company(administrator="admin")
    assert not company.should_load()

    client = Client.unscoped.get(name="Abava Timber")
    people = User.unscoped.filter(client=client).order_by("id")
    assert [user.role.name for user in people] == ["owner", "manager", "operator", "viewer"]
    for user in people:
        [line] = [line for line in message.splitlines() if f" {user.username} " in line]
        assert user.check_password(line.split()[2])

    [stored] = data_folder.glob("demo-sign-ins*")
    assert stored.stat().st_mode & 0o777 == 0o600
    assert stored.read_text().strip() in message

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


def test_the_tally_sheet_adds_valid_rows_and_rejects_invalid_ones(
    db: None, data_folder: Path
) -> None:
    create_administrator(username="admin", password="admin")
    company.load_company(administrator="admin")
    sheet = File.unscoped.get(kind="tally")
    assert process_file(sheet.pk)
    close_sandbox()
    sheet.refresh_from_db()
    assert sheet.status == File.Status.SUCCESS
    assert (sheet.result["accepted"], sheet.result["rejected"]) == (12, 2)
    assert Decimal(10) < Consignment.unscoped.get(pk=sheet.consignment_id).volume < Decimal(30)


def test_the_next_start_completes_an_interrupted_one(
    db: None, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_administrator(username="admin", password="admin")

    def power_cut(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(company, "PHOTOS", PHOTOS[:1])
    with monkeypatch.context() as cut:
        cut.setattr(company, "_write_notes", power_cut)
        with pytest.raises(KeyboardInterrupt):
            company.load_company(administrator="admin")
    before = OutboxEvent.objects.count()
    assert company.should_load()
    message = company.load_company(administrator="admin")
    assert OutboxEvent.objects.count() == before + 4, "only the four notes were missing"
    owner = User.unscoped.get(username="anna")
    assert owner.check_password(message.split("anna")[1].split()[0])


def test_photos_have_exif_metadata_and_all_differ() -> None:
    drawn = {photo: draw_photo(photo.scene(now=NOW)) for photo in PHOTOS}
    assert len(set(drawn.values())) == len(PHOTOS)
    for photo, content in drawn.items():
        picture = Image.open(io.BytesIO(content), formats=["JPEG"])
        assert picture.size == (1600, 1200)
        colours = picture.resize((40, 30)).getcolors(1200)
        assert colours is not None
        assert len(colours) > 500, "there is something to see"
        exif = picture.getexif()
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == photo.camera
        taken_at = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        assert taken_at.startswith("2026:11:21")
        assert bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) == (photo.place is not None)


@pytest.mark.parametrize("yard", YARDS, ids=lambda yard: yard.city)
@pytest.mark.parametrize(("month", "coldest", "warmest"), [(11, -15, 18), (1, -25, 12), (7, 2, 35)])
def test_a_month_of_readings_is_hourly_and_fits_the_season(
    yard: Any, month: int, coldest: int, warmest: int
) -> None:
    until = NOW.replace(month=month)
    header, *lines = month_of_readings(yard, until=until).splitlines()
    assert header == b"city_id,temperature,timestamp"
    parsed = [parse_line(line) for line in lines]
    readings = [one for one in parsed if isinstance(one, Reading)]
    assert len(parsed) - len(readings) == len(yard.invalid_lines)
    assert len(readings) == 30 * 24
    assert {one.city for one in readings} == {yard.city_id}
    assert all(coldest * 100 < one.hundredths < warmest * 100 for one in readings)
    steps = {b.at - a.at for a, b in pairwise(readings)}
    assert steps == {3_600_000_000}
    last = datetime.fromtimestamp(readings[-1].at / 1_000_000, UTC)
    assert last == until.replace(minute=0)
