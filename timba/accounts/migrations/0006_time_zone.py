"""A client has a time zone, in which its PDFs and papers show times."""

from django.db import migrations, models

import timba.accounts.models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_quota"),
    ]

    operations = [
        migrations.AddField(
            model_name="client",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                max_length=64,
                validators=[timba.accounts.models.check_time_zone],
            ),
        ),
    ]
