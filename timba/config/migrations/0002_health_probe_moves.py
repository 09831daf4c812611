"""The model of the health check's row now belongs to the `api` app, which makes its own table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("config", "0001_health_probe")]

    operations = [migrations.DeleteModel(name="HealthProbe")]
