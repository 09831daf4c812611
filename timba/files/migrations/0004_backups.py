"""Adds hashes to derivatives, and the holds that keep objects while a backup copies them."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("files", "0003_standard_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErasureHold",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="derivative",
            name="sha256",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="derivative",
            name="size",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="derivative",
            index=models.Index(fields=["storage_key"], name="derivative_by_key"),
        ),
    ]
