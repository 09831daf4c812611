"""Makes the composition root known to Django, and has it check the set-up."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from timba.config import checks
from timba.db import checks as database_checks


class ConfigConfig(AppConfig):
    name = "timba.config"

    def ready(self) -> None:
        register(checks.keys_are_secret, Tags.security)
        register(checks.address_is_an_address, Tags.urls)
        register(checks.proxies_are_few, Tags.security)
        register(checks.hosts_are_named, Tags.security)
        register(checks.data_is_private, Tags.security)
        register(checks.rest_framework_bounds_bodies, Tags.compatibility)
        register(checks.nothing_is_made_to_fail, Tags.security, deploy=True)
        register(database_checks.database_keeps_its_word, Tags.database)
        register(database_checks.database_is_durable, database_checks.DURABILITY, deploy=True)
