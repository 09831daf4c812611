from django.apps import AppConfig


class TemperaturesConfig(AppConfig):
    name = "timba.temperatures"
