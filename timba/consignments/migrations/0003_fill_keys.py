"""Fills the keys; of several logs with the same key, only the oldest keeps it.

It can be interrupted: rows whose search key is filled are not read again.
"""

from django.db import migrations
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from timba.consignments.barcode_text import barcode_key
from timba.db.backfill import fill_columns
from timba.db.search_keys import compact_key, search_key

_BATCH = 500


def fill_keys(apps, schema_editor):
    fill_columns(
        apps.get_model("consignments", "Consignment").unscoped.all(),
        mark="name_key",
        source=["name", "vehicle_number"],
        compute=lambda name, vehicle: {
            "name_key": search_key(name),
            "vehicle_key": compact_key(vehicle),
        },
        schema_editor=schema_editor,
    )
    logs = apps.get_model("consignments", "Log").unscoped.order_by()
    fill_columns(
        logs,
        mark="barcode_search_key",
        source=["barcode"],
        compute=lambda barcode: {
            "barcode_key": barcode_key(barcode),
            "barcode_search_key": compact_key(barcode),
        },
        schema_editor=schema_editor,
    )
    number = Window(RowNumber(), partition_by=["client_id", "barcode_key"], order_by=F("pk").asc())
    keyed = logs.filter(barcode_key__isnull=False).annotate(number=number)
    twins = list(keyed.filter(number__gt=1).values_list("pk", flat=True))
    for start in range(0, len(twins), _BATCH):
        logs.filter(pk__in=twins[start : start + _BATCH]).update(barcode_key=None)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("consignments", "0002_keys")]

    operations = [migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True)]
