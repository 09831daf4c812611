"""Adds the key by which notes are found."""

from django.db import migrations

import timba.db.search_keys


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="note",
            name="title_key",
            field=timba.db.search_keys.SearchKeyField(
                db_default="", editable=False, is_compact=False, max_length=300, of="title"
            ),
        ),
    ]
