from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    name = "timba.runtime"
