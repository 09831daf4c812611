"""The four roles that every client has."""

from django.db import migrations

ROLES = {
    "owner": [
        "users.manage",
        "consignments.write",
        "logs.write",
        "files.write",
        "notes.write",
    ],
    "manager": ["consignments.write", "logs.write", "files.write", "notes.write"],
    "operator": ["logs.write", "files.write", "notes.write"],
    "viewer": [],
}


def add_roles(apps, _schema_editor):
    Role = apps.get_model("accounts", "Role")
    for name, permissions in ROLES.items():
        Role._meta.base_manager.create(client=None, name=name, permissions=permissions)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunPython(add_roles, migrations.RunPython.noop)]
