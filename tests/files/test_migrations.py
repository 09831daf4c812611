"""Photos of earlier versions get the columns by which similar ones are found."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.state import StateApps

from tests.factories import ClientFactory
from tests.migrations import migrate, migrate_to_latest
from timba.files.models import File
from timba.files.similar import find_similar

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = "0012_photo_links", "0013_fill_photo_hash"


@pytest.fixture
def earlier() -> Iterator[StateApps]:
    """Return the models before hashes were filled."""
    yield migrate("files", BEFORE)
    migrate_to_latest()


def test_the_hashes_of_earlier_photos_are_filled(earlier: StateApps) -> None:
    client = ClientFactory().pk
    files = earlier.get_model("files", "File").unscoped
    for number in range(450):
        phash = f"{number << 32:016x}"
        files.create(
            client_id=client, name=f"{number}.jpg", storage_key=f"{number}", kind="photo",
            sha256=f"{number}", status="SUCCESS", result={"phash": phash},
        )  # fmt: skip
    files.create(client_id=client, name="new.jpg", storage_key="p", kind="photo", status="PENDING")
    files.create(
        client_id=client, name="a.txt", storage_key="t", kind="text", status="SUCCESS",
        result={"lines": 1},
    )  # fmt: skip
    migrate("files", AFTER)
    interrupted = importlib.import_module(f"timba.files.migrations.{AFTER}")
    with connection.schema_editor() as schema_editor:
        interrupted.fill_hashes(earlier, schema_editor)
    # The models of today need the columns of later migrations.
    migrate_to_latest()
    photos = File.unscoped.filter(kind="photo", status="SUCCESS")
    assert [(file.phash_1 << 42) | (file.phash_2 << 21) | file.phash_3 for file in photos] == [
        int(file.result["phash"], 16) for file in photos
    ]
    others = File.unscoped.exclude(pk__in=photos)
    assert list(others.values_list("phash_1", flat=True)) == [None, None]
    own = photos.get(name="0.jpg")
    assert {each["name"] for each in find_similar(own) if each["distance"] == 1} == {
        "1.jpg", "2.jpg", "4.jpg", "8.jpg", "16.jpg",
    }  # fmt: skip
