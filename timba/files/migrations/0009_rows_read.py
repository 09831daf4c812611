"""Adds how many rows of a file have been read while it is processed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0008_fill_name_key")]

    operations = [
        migrations.AddField(
            model_name="file",
            name="rows_read",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(rows_read__isnull=True) | models.Q(status="PENDING"),
                name="only_waiting_files_count_rows",
            ),
        ),
    ]
