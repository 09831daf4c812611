"""Registers the system checks."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from timba.config import checks
from timba.db import checks as database_checks
from timba.db.newer_migrations import check_database_is_not_newer


class ConfigConfig(AppConfig):
    name = "timba.config"

    def ready(self) -> None:
        register(checks.check_secret_keys, Tags.security)
        register(checks.check_keys_are_shared, Tags.security)
        register(checks.check_files_are_shared, Tags.files, deploy=True)
        register(checks.check_public_url, Tags.urls)
        register(checks.check_trusted_proxies, Tags.security)
        register(checks.check_allowed_hosts, Tags.security)
        register(checks.check_private_data, Tags.security)
        register(checks.check_rest_framework_version, Tags.compatibility)
        register(checks.check_no_failpoint, Tags.security, deploy=True)
        register(database_checks.check_database_guarantees, Tags.database)
        register(check_database_is_not_newer, Tags.database)
        register(database_checks.check_database_durability, database_checks.DURABILITY, deploy=True)
