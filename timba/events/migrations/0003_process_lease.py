"""The lease of the relay becomes one of several; its table stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0002_standard_names")]

    operations = [
        # Relays of the last version use the table meanwhile: only Django's state changes.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("RelayLease", "ProcessLease"),
                migrations.AlterModelTable("processlease", "events_relaylease"),
                migrations.RenameField("processlease", "shard", "name"),
                migrations.AlterField(
                    "processlease",
                    "name",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "Relay"), (1, "Lake")],
                        db_column="shard",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
        ),
    ]
