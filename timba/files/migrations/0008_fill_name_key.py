"""Fills the keys by which files are found; it can be interrupted and run again."""

from django.db import migrations

from timba.db.backfill import fill_columns
from timba.db.search_keys import search_key


def fill_keys(apps, schema_editor):
    fill_columns(
        apps.get_model("files", "File").unscoped.all(),
        mark="name_key",
        source=["name"],
        compute=lambda name: {"name_key": search_key(name)},
        schema_editor=schema_editor,
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("files", "0007_name_key")]

    operations = [migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True)]
