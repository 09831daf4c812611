"""Adds the tables of deleted consignments and their logs."""

from decimal import Decimal

import django.db.models.deletion
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

import timba.db.fields
import timba.db.search_keys


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_time_zone"),
        ("consignments", "0004_unique_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DeletedConsignment",
            fields=[
                ("name", models.CharField(max_length=100)),
                (
                    "name_key",
                    timba.db.search_keys.SearchKeyField(
                        db_default="", editable=False, is_compact=False, max_length=300, of="name"
                    ),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[("hardwood", "Hardwood"), ("pinewood", "Pinewood")], max_length=20
                    ),
                ),
                ("vehicle_number", models.CharField(blank=True, max_length=30)),
                (
                    "vehicle_key",
                    timba.db.search_keys.SearchKeyField(
                        db_default="",
                        editable=False,
                        is_compact=True,
                        max_length=90,
                        of="vehicle_number",
                    ),
                ),
                ("city_id", models.PositiveIntegerField(null=True)),
                ("log_count", models.PositiveIntegerField(default=0)),
                (
                    "volume",
                    models.DecimalField(decimal_places=3, default=Decimal(0), max_digits=14),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("deleted_at", models.DateTimeField()),
                ("links", timba.db.fields.OrderedJSONField()),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "deleted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "updated_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
                "default_manager_name": "unscoped",
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="DeletedLog",
            fields=[
                ("barcode", models.CharField(max_length=50)),
                ("barcode_key", models.CharField(editable=False, max_length=150, null=True)),
                (
                    "barcode_search_key",
                    timba.db.search_keys.SearchKeyField(
                        db_default="", editable=False, is_compact=True, max_length=150, of="barcode"
                    ),
                ),
                ("length", models.DecimalField(decimal_places=3, max_digits=7)),
                ("breadth", models.DecimalField(decimal_places=3, max_digits=7)),
                ("height", models.DecimalField(decimal_places=3, max_digits=7)),
                ("volume", models.DecimalField(decimal_places=3, max_digits=14)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                    ),
                ),
                (
                    "consignment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="logs",
                        to="consignments.deletedconsignment",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
                "default_manager_name": "unscoped",
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name="deletedconsignment",
            index=models.Index(
                fields=["client", "-deleted_at", "-id"], name="deleted_consignment_by_client"
            ),
        ),
        migrations.AddIndex(
            model_name="deletedconsignment",
            index=models.Index(fields=["-deleted_at", "-id"], name="deleted_consignment_by_time"),
        ),
        migrations.AddIndex(
            model_name="deletedlog",
            index=models.Index(fields=["client", "id"], name="deleted_log_by_client"),
        ),
    ]
