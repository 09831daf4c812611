"""`csu` and `createsuperuser` create the administrator of a new installation."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import MakeUser
from timba.accounts.models import User

PASSWORD = "spruce-bark-7731"


def csu() -> str:
    out = StringIO()
    call_command("csu", stdout=out)
    return out.getvalue().strip()


def test_csu_creates_the_administrator_once(db: None, settings: Any) -> None:
    settings.TIMBA_ADMIN_PASSWORD = PASSWORD
    assert csu() == "The administrator “admin” has been made."
    made = User.unscoped.values().get()
    settings.TIMBA_ADMIN_PASSWORD = "another-password-2"
    assert csu() == "The administrator “admin” was there already: nothing was changed."
    assert User.unscoped.values().get() == made
    admin = User.unscoped.get()
    assert (admin.username, admin.is_staff, admin.is_superuser) == ("admin", True, True)
    assert admin.check_password(PASSWORD)


def test_csu_refuses_without_a_password(db: None, settings: Any) -> None:
    settings.TIMBA_ADMIN_PASSWORD = ""
    with pytest.raises(CommandError, match=r"^TIMBA_ADMIN_PASSWORD is not set: set it to the "):
        csu()
    assert not User.unscoped.exists()


def test_csu_rejects_the_username_of_a_clients_user(make_user: MakeUser, settings: Any) -> None:
    settings.TIMBA_ADMIN_PASSWORD = PASSWORD
    make_user(username="admin")
    with pytest.raises(CommandError, match=r"^“admin” is a client's user"):
        csu()


def test_createsuperuser_creates_staff_without_client(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", username="root", interactive=False, stdout=StringIO())
    root = User.unscoped.get()
    assert (root.username, root.is_staff, root.client, root.role) == ("root", True, None, None)
    assert root.check_password(PASSWORD)
    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", username="root", interactive=False)
    with pytest.raises(CommandError, match="printable"):
        call_command("createsuperuser", username="ro\not", interactive=False)
