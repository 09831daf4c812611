"""Renames a column and an index of the outbox to the standard terms."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [
        # An index keeps the name of its column in Django's state: it is made anew.
        migrations.RemoveIndex(model_name="outboxevent", name="event_story"),
        migrations.RenameField(model_name="outboxevent", old_name="about", new_name="subject"),
        migrations.AddIndex(
            model_name="outboxevent",
            index=models.Index(fields=["client_id", "subject", "sequence"], name="event_timeline"),
        ),
    ]
