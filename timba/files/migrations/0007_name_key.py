"""Adds the key by which files are found."""

from django.db import migrations

import timba.db.search_keys


class Migration(migrations.Migration):
    dependencies = [("files", "0006_tally_questions")]

    operations = [
        migrations.AddField(
            model_name="file",
            name="name_key",
            field=timba.db.search_keys.SearchKeyField(
                db_default="", editable=False, is_compact=False, max_length=765, of="name"
            ),
        ),
    ]
