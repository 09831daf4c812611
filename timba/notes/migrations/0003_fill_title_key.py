"""Fills the keys by which notes are found; it can be interrupted and run again."""

from django.db import migrations

from timba.db.backfill import fill_columns
from timba.db.search_keys import search_key


def fill_keys(apps, schema_editor):
    fill_columns(
        apps.get_model("notes", "Note").unscoped.all(),
        mark="title_key",
        source=["title"],
        compute=lambda title: {"title_key": search_key(title)},
        schema_editor=schema_editor,
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notes", "0002_title_key")]

    operations = [migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True)]
