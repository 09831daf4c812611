"""Adds how a file was linked to its log, and what similar photos and same bytes are found by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0011_trash")]

    operations = [
        migrations.AddField(
            model_name="file",
            name="linked_by",
            field=models.CharField(
                blank=True,
                choices=[("user", "User"), ("name", "Name"), ("code", "Code")],
                db_default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="file",
            name="phash_1",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="phash_2",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="phash_3",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["client", "sha256"], name="file_by_bytes"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["client", "phash_1"], name="photo_by_hash_1"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["client", "phash_2"], name="photo_by_hash_2"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["client", "phash_3"], name="photo_by_hash_3"),
        ),
    ]
