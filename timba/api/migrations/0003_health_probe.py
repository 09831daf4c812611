"""Makes the table of the one row that `/health/ready` writes; it was the `config` app's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0002_idempotency_expiry")]

    operations = [
        migrations.CreateModel(
            name="HealthProbe",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("written_at", models.DateTimeField()),
            ],
        ),
    ]
