"""Counts the bytes of the files that were accepted before subscriptions counted them."""

from typing import Any

from django.db import migrations, models


def count_bytes(apps: Any, _: Any) -> None:
    File = apps.get_model("files", "File")
    Subscription = apps.get_model("accounts", "Subscription")
    accepted = File.unscoped.exclude(status="RECEIVING")
    totals = accepted.order_by().values_list("client").annotate(total=models.Sum("size"))
    for client_id, total in totals:
        Subscription.objects.filter(client_id=client_id).update(used_bytes=total)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_quota"), ("files", "0004_backups")]

    operations = [migrations.RunPython(count_bytes, migrations.RunPython.noop)]
