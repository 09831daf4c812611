"""The app's configuration; it registers the check of the deletion hooks."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks


class ConsignmentsConfig(AppConfig):
    name = "timba.consignments"

    def ready(self) -> None:
        # Imported here because the checks import models, which need the registry of apps.
        checks.register(import_module("timba.consignments.deletion").check_deletion_hooks)
