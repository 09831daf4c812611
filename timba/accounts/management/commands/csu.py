"""Creates the administrator of a new installation: `admin` with `TIMBA_ADMIN_PASSWORD`.

Where the variable is not set, the password is asked for on the terminal. In an empty database, the
tables are created first.
"""

from __future__ import annotations

import getpass
import sys
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from timba.accounts.models import User
from timba.accounts.services import administrator_exists, create_administrator
from timba.db.migration_lock import migration_lock
from timba.errors import DomainError

USERNAME: Final = "admin"
_ATTEMPTS: Final = 3


class Command(BaseCommand):
    help = "Create the administrator `admin`; if there is one, change nothing."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if User._meta.db_table not in connection.introspection.table_names():
            with migration_lock():
                call_command("migrate", interactive=False, verbosity=0)
        try:
            is_new = not administrator_exists(USERNAME) and create_administrator(
                username=USERNAME, password=settings.TIMBA_ADMIN_PASSWORD or self._ask_password()
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"The administrator “{USERNAME}” "
            + ("has been created." if is_new else "exists already: nothing was changed.")
        )

    def _ask_password(self) -> str:
        """Return a password typed twice; raise CommandError without a terminal."""
        if not sys.stdin.isatty():
            raise CommandError(
                "TIMBA_ADMIN_PASSWORD is not set, and there is no terminal to ask on: "
                f"set it to the password of “{USERNAME}”."
            )
        for _ in range(_ATTEMPTS):
            password = getpass.getpass(f"Password of “{USERNAME}”: ")
            if password != getpass.getpass("The same again: "):
                self.stderr.write("The two passwords differ. Type them again.")
                continue
            try:
                validate_password(password, User(username=USERNAME))
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
                continue
            return password
        raise CommandError("No administrator was created: the password was not accepted.")
