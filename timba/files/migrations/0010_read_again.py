"""Lets a file with a result be read again while that result stands."""

from typing import Any

from django.db import migrations, models

import timba.db.fields


def forget_runs(apps: Any, _: Any) -> None:
    """Files that waited for a retry kept the run of the result that they no longer had."""
    apps.get_model("files", "File").unscoped.filter(status="PENDING").update(run=None)


class Migration(migrations.Migration):
    dependencies = [("files", "0009_rows_read")]

    operations = [
        migrations.AddField(
            model_name="file",
            name="next_read_as",
            field=timba.db.fields.OrderedJSONField(null=True),
        ),
        migrations.RunPython(forget_runs, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=(
                    models.Q(next_read_as__isnull=True)
                    & (models.Q(run__isnull=True) | ~models.Q(status="PENDING"))
                )
                | models.Q(
                    kind="temperatures",
                    status="PENDING",
                    run__isnull=False,
                    next_read_as__isnull=False,
                ),
                name="waiting_file_has_a_run_while_read_again",
            ),
        ),
    ]
