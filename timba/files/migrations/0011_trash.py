"""Lets deleted files be restored until their erasure has begun, and tells who deleted them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("files", "0010_read_again"),
    ]

    operations = [
        migrations.AddField(
            model_name="file",
            name="deleted_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="file", name="erasing_since", field=models.DateTimeField(null=True)
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                fields=["client", "-deleted_at", "-id"], name="file_trash_by_client"
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(deleted_by__isnull=True, erasing_since__isnull=True)
                | models.Q(deleted_at__isnull=False),
                name="only_deleted_files_are_erased",
            ),
        ),
    ]
