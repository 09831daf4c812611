"""Renames columns and an index of files to the standard terms."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("files", "0002_fair_work")]

    operations = [
        migrations.RenameField(model_name="file", old_name="fence", new_name="fencing_token"),
        migrations.RenameField(model_name="file", old_name="rung_at", new_name="notified_at"),
        # An index keeps the name of its column in Django's state: it is made anew.
        migrations.RemoveIndex(model_name="derivative", name="derivative_standing"),
        migrations.RenameField(model_name="derivative", old_name="stands", new_name="is_current"),
        migrations.AddIndex(
            model_name="derivative",
            index=models.Index(fields=["is_current"], name="derivative_current"),
        ),
    ]
