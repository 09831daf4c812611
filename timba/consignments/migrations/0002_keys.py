"""Adds the keys of barcodes, names and vehicle numbers."""

from django.db import migrations, models

import timba.db.search_keys


class Migration(migrations.Migration):
    dependencies = [("consignments", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="consignment",
            name="name_key",
            field=timba.db.search_keys.SearchKeyField(
                db_default="", editable=False, is_compact=False, max_length=300, of="name"
            ),
        ),
        migrations.AddField(
            model_name="consignment",
            name="vehicle_key",
            field=timba.db.search_keys.SearchKeyField(
                db_default="", editable=False, is_compact=True, max_length=90, of="vehicle_number"
            ),
        ),
        migrations.AddField(
            model_name="log",
            name="barcode_key",
            field=models.CharField(editable=False, max_length=150, null=True),
        ),
        migrations.AddField(
            model_name="log",
            name="barcode_search_key",
            field=timba.db.search_keys.SearchKeyField(
                db_default="", editable=False, is_compact=True, max_length=150, of="barcode"
            ),
        ),
    ]
