"""Creates the administrator of a new installation: `admin` with `TIMBA_ADMIN_PASSWORD`."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from timba.accounts.services import create_administrator
from timba.errors import DomainError

USERNAME: Final = "admin"


class Command(BaseCommand):
    help = "Makes the administrator `admin` with TIMBA_ADMIN_PASSWORD; again, it changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if not settings.TIMBA_ADMIN_PASSWORD:
            raise CommandError(
                "TIMBA_ADMIN_PASSWORD is not set: set it to the password that “admin” shall have."
            )
        try:
            is_new = create_administrator(username=USERNAME, password=settings.TIMBA_ADMIN_PASSWORD)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"The administrator “{USERNAME}” "
            + ("has been made." if is_new else "was there already: nothing was changed.")
        )
