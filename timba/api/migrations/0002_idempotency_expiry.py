"""Each key says itself until when it is remembered; the sweeper then removes it, for every user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import migrations, models
from django.db.models import F


def expire_after_a_day(apps: Any, schema_editor: Any) -> None:
    requests = apps.get_model("api", "IdempotentRequest").objects
    requests.using(schema_editor.connection.alias).update(
        expires_at=F("created_at") + timedelta(hours=24)
    )


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="idempotentrequest",
            name="expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(expire_after_a_day, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="idempotentrequest",
            name="expires_at",
            field=models.DateTimeField(),
        ),
        migrations.RemoveIndex(model_name="idempotentrequest", name="idempotency_age"),
        migrations.AddIndex(
            model_name="idempotentrequest",
            index=models.Index(fields=["expires_at"], name="idempotency_expiry"),
        ),
    ]
