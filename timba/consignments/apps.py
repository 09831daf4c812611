"""Makes the consignments' room known to Django."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks


class ConsignmentsConfig(AppConfig):
    name = "timba.consignments"

    def ready(self) -> None:
        # Not before now: the checks need models, which need the registry of apps.
        checks.register(import_module("timba.consignments.deletion").check_deletion_hooks)
