"""`csu` and `createsuperuser` create the administrator of a new installation."""

from __future__ import annotations

from collections.abc import Callable
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
    assert csu() == "The administrator “admin” has been created."
    made = User.unscoped.values().get()
    settings.TIMBA_ADMIN_PASSWORD = "another-password-2"
    assert csu() == "The administrator “admin” exists already: nothing was changed."
    assert User.unscoped.values().get() == made
    admin = User.unscoped.get()
    assert (admin.username, admin.is_staff, admin.is_superuser) == ("admin", True, True)
    assert admin.check_password(PASSWORD)


def test_csu_refuses_without_a_password_and_a_terminal(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_ADMIN_PASSWORD = ""
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match=r"^TIMBA_ADMIN_PASSWORD is not set, and there is no "):
        csu()
    assert not User.unscoped.exists()


class Terminal(StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def type_passwords(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets what is typed at the prompts for a password."""
    settings.TIMBA_ADMIN_PASSWORD = ""
    monkeypatch.setattr("sys.stdin", Terminal())

    def type_passwords(*passwords: str) -> None:
        typed = iter(passwords)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))

    return type_passwords


def test_csu_asks_twice_on_a_terminal(db: None, type_passwords: Callable[..., None]) -> None:
    type_passwords(PASSWORD, "spruce-bark-7732", "12345678", "12345678", PASSWORD, PASSWORD)
    assert csu() == "The administrator “admin” has been created."
    assert User.unscoped.get().check_password(PASSWORD)
    type_passwords()  # the second time, nothing is asked
    assert csu() == "The administrator “admin” exists already: nothing was changed."


def test_csu_gives_up_after_three_weak_passwords(
    db: None, type_passwords: Callable[..., None]
) -> None:
    type_passwords(*["admin"] * 6)
    with pytest.raises(CommandError, match=r"^No administrator was created: the password was not "):
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
