"""A password that is set on the command line has the effects of one that an owner sets."""

from __future__ import annotations

import getpass
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import RequestFactory

from tests.conftest import MakeUser
from timba.accounts.sign_in import check_credentials
from timba.accounts.tokens import get_user_by_access_token, issue_tokens
from timba.errors import NotSignedIn

PASSWORD = "spruce-bark-7731"


def test_it_revokes_sign_ins_and_unlocks_the_username(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, request = make_user(), RequestFactory().post("/login/")
    access = issue_tokens(user=user).access
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            check_credentials(request, username=user.username, password="wrong")
    monkeypatch.setattr(getpass, "getpass", lambda *_, **__: PASSWORD)
    call_command("changepassword", user.username, stdout=StringIO())
    assert check_credentials(request, username=user.username, password=PASSWORD) == user
    with pytest.raises(NotSignedIn, match=r"^This sign-in is over"):
        get_user_by_access_token(access)
