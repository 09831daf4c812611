"""Adds previews: their roles, and whether a file has them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("files", "0014_resumable_uploads"),
    ]

    operations = [
        migrations.AddField(
            model_name="file",
            name="has_preview",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="derivative",
            name="role",
            field=models.CharField(
                choices=[
                    ("rejects", "Rejects"),
                    ("readings", "Readings"),
                    ("annotated", "Annotated"),
                    ("preview_256", "Preview 256"),
                    ("preview_1024", "Preview 1024"),
                ],
                max_length=20,
            ),
        ),
    ]
