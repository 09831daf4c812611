from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "timba.files"
