"""Files wait in a queue by their size; what could not be swept is tried again after the rest."""

from typing import Any

from django.db import migrations, models


def put_waiting_files_into_queues(apps: Any, _: Any) -> None:
    """Readings of any size waited in the queue for large files; those that wait stay there."""
    files = apps.get_model("files", "File").unscoped
    files.filter(status="PENDING", kind="temperatures").update(queue="bulk")
    files.filter(
        models.Q(status__in=["SUCCESS", "FAILURE"]) | models.Q(deleted_at__isnull=False)
    ).update(queue="")


class Migration(migrations.Migration):
    dependencies = [
        ("files", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="file",
            name="queue",
            field=models.CharField(default="fast", max_length=10),
        ),
        migrations.AddField(
            model_name="file",
            name="sweep_failed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="derivative",
            name="sweep_failed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(
            put_waiting_files_into_queues, migrations.RunPython.noop, elidable=True
        ),
        migrations.RenameIndex(
            model_name="file", old_name="file_waiting", new_name="file_by_status"
        ),
        migrations.RemoveIndex(model_name="file", name="file_trash"),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["queue", "client", "uploaded_at"], name="file_waiting"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["lease_until"], name="file_in_work"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(fields=["deleted_at", "sweep_failed_at"], name="file_trash"),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("queue__in", ["fast", "bulk"]),
                    ("deleted_at__isnull", False),
                    models.Q(("status", "PENDING"), _negated=True),
                    _connector="OR",
                ),
                name="file_waits_in_a_queue",
            ),
        ),
    ]
