"""Makes the keys of barcodes unique, and indexes those that are searched."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consignments", "0003_fill_keys")]

    operations = [
        migrations.AddIndex(
            model_name="log",
            index=models.Index(fields=["client", "barcode_search_key"], name="log_by_search_key"),
        ),
        migrations.AddConstraint(
            model_name="log",
            constraint=models.UniqueConstraint(
                fields=("client", "barcode_key"), name="log_barcode_key_is_unique"
            ),
        ),
    ]
