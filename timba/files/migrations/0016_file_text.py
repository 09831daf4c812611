"""The text of files, and the full-text index of each database over its words."""

import django.db.models.deletion
from django.db import migrations, models

from timba.db.full_text_index import create_index, drop_index

TABLE = "files_filetext"


def create(_apps, schema_editor):
    create_index(schema_editor, TABLE)


def drop(_apps, schema_editor):
    drop_index(schema_editor, TABLE)


class Migration(migrations.Migration):
    dependencies = [("files", "0015_previews")]

    operations = [
        migrations.CreateModel(
            name="FileText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                # Short columns first: SQLite reads a row from its beginning.
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="texts",
                        to="files.file",
                    ),
                ),
                ("run", models.PositiveIntegerField()),
                ("is_cut", models.BooleanField(default=False)),
                ("exceeds_positions", models.BooleanField(default=False, editable=False)),
                ("text", models.TextField(blank=True)),
                ("words", models.TextField(blank=True, editable=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("file", "run"), name="run_has_one_text")
                ]
            },
        ),
        # MariaDB creates an index in no transaction.
        migrations.RunPython(create, drop, atomic=False),
    ]
