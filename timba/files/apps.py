"""Makes the files' room known to Django."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks


class FilesConfig(AppConfig):
    name = "timba.files"

    def ready(self) -> None:
        # Not before now: the checks need models, which need the registry of apps.
        own = import_module("timba.files.registry")
        checks.register(own.check_processors)
        checks.register(own.check_sandbox, own.SANDBOX, deploy=True)
