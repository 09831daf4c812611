"""A subscription limits and counts the bytes of its client's files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_token_families"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="quota_bytes",
            field=models.BigIntegerField(
                blank=True,
                help_text="1 GB is 1073741824; empty for no limit.",
                null=True,
                verbose_name="quota in bytes",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="used_bytes",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("quota_bytes__isnull", True), ("quota_bytes__gte", 0), _connector="OR"
                ),
                name="subscription_quota_is_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("used_bytes__gte", 0)),
                name="subscription_used_bytes_are_not_negative",
            ),
        ),
    ]
