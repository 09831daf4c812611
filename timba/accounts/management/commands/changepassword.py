"""Django's `changepassword`, which also revokes sessions and tokens and unlocks the user."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.db import transaction
from django.db.models import F

from timba.accounts.models import User
from timba.accounts.sign_in import unlock_username


class Command(changepassword.Command):
    help = "Change a user's password, and sign the user out everywhere."

    def handle(self, *args: Any, **options: Any) -> str:
        message = str(super().handle(*args, **options))
        username = options["username"] or getpass.getuser()
        with transaction.atomic():
            User.unscoped.filter(username=username).update(token_version=F("token_version") + 1)
            unlock_username(username)
        return message
