"""Makes the files' room known to Django."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks


class FilesConfig(AppConfig):
    name = "timba.files"

    def ready(self) -> None:
        # Not before now: the checks need models, which need the registry of apps.
        checks.register(import_module("timba.files.checks").check_processors)
