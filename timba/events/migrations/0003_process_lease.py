"""The lease of the relay becomes one of several; its table stays as it is."""

from django.apps.registry import Apps
from django.contrib.contenttypes.management import RenameContentType
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_OLD, _NEW = "relaylease", "processlease"


def rename_permissions(apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    _rename_permissions(apps, _OLD, _NEW)


def restore_permissions(apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    _rename_permissions(apps, _NEW, _OLD)


def _rename_permissions(apps: Apps, old: str, new: str) -> None:
    words = {_OLD: "relay lease", _NEW: "process lease"}
    permissions = apps.get_model("auth", "Permission").objects
    for row in permissions.filter(content_type__app_label="events", codename__endswith=f"_{old}"):
        row.codename = row.codename.replace(old, new)
        row.name = row.name.replace(words[old], words[new])
        row.save()


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_standard_names"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

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
        # What Django does for a RenameModel that is no part of another operation.
        RenameContentType("events", _OLD, _NEW),
        migrations.RunPython(rename_permissions, restore_permissions),
    ]
