"""The app configuration, which registers the system checks of files."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks


class FilesConfig(AppConfig):
    name = "timba.files"

    def ready(self) -> None:
        # The checks import models, which cannot be imported before the apps are loaded.
        registry = import_module("timba.files.registry")
        checks.register(registry.check_processors)
        checks.register(registry.check_sandbox, registry.SANDBOX, deploy=True)
        ocr = import_module("timba.files.ocr")
        checks.register(ocr.check_ocr)
        checks.register(ocr.check_ocr_is_on, deploy=True)
