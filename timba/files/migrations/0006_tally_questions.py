"""Adds answers to the questions of files, import profiles that remember them, and dry runs."""

from typing import Any

import django.db.models.deletion
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

import timba.db.fields


def tell_recorded_tallies(apps: Any, _: Any) -> None:
    """Tallies were recorded as they were processed; there were no dry runs."""
    files = apps.get_model("files", "File").unscoped
    files.filter(kind="tally", status="SUCCESS").update(recorded_at=models.F("processed_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_quota"),
        ("consignments", "0001_initial"),
        ("files", "0005_count_bytes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportProfile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("photo", "Photo"),
                            ("document", "Document"),
                            ("text", "Text"),
                            ("temperatures", "Temperatures"),
                            ("tally", "Tally"),
                        ],
                        max_length=20,
                    ),
                ),
                ("header", models.CharField(max_length=500)),
                ("header_digest", models.CharField(max_length=64)),
                ("read_as", timba.db.fields.OrderedJSONField()),
                ("used_count", models.PositiveIntegerField(default=0)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
                "default_manager_name": "unscoped",
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="file",
            name="answered_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="file",
            name="asks",
            field=timba.db.fields.OrderedJSONField(null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="dry_run",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="file",
            name="is_confirmed",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="file",
            name="read_as",
            field=timba.db.fields.OrderedJSONField(null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="recorded_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(("dry_run", False), ("kind", "tally"), _connector="OR"),
                name="only_tallies_are_dry_runs",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_confirmed", False), ("dry_run", True), _connector="OR"),
                name="only_dry_runs_are_confirmed",
            ),
        ),
        migrations.AddField(
            model_name="importprofile",
            name="client",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.client",
            ),
        ),
        migrations.AddField(
            model_name="importprofile",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="importprofile",
            index=models.Index(fields=["client", "-id"], name="import_profile_by_client"),
        ),
        migrations.AddConstraint(
            model_name="importprofile",
            constraint=models.UniqueConstraint(
                fields=("client", "kind", "header_digest"), name="import_profile_is_unique"
            ),
        ),
        migrations.RunPython(tell_recorded_tallies, migrations.RunPython.noop, elidable=True),
    ]
