"""Fills the columns by which similar photos are found; it can be interrupted and run again."""

from django.db import migrations

from timba.db.backfill import fill_columns
from timba.files.similar import split_hash


def fill_hashes(apps, schema_editor):
    photos = apps.get_model("files", "File").unscoped.filter(kind="photo", status="SUCCESS")
    fill_columns(
        photos,
        mark="phash_1",
        source=["result"],
        compute=lambda result: split_hash(result["phash"]),
        schema_editor=schema_editor,
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("files", "0012_photo_links")]

    operations = [migrations.RunPython(fill_hashes, migrations.RunPython.noop, elidable=True)]
