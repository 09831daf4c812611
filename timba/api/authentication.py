"""Authenticates programs by access token, and browsers by session cookie and CSRF token."""

from __future__ import annotations

from copy import copy
from typing import Any, cast

from django.http import HttpRequest, QueryDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request, is_form_media_type

from timba.accounts.models import User
from timba.accounts.tokens import get_user_by_access_token
from timba.errors import NotSignedIn


def bearer_token(request: HttpRequest) -> str | None:
    """Return the token of an `Authorization: Bearer …` header; None without such a header.

    Raises NotSignedIn where such a header does not hold exactly one token.
    """
    words: list[str] = request.META.get("HTTP_AUTHORIZATION", "").split()
    if not words or words[0].lower() != "bearer":
        return None
    if len(words) != 2:
        raise NotSignedIn(
            "The Authorization header is malformed: send “Bearer”, a blank, the token."
        )
    return words[1]


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access>`; only writes read the user anew every time."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        token = bearer_token(request._request)
        if token is None:
            return None
        return get_user_by_access_token(token, recent=request.method in SAFE_METHODS), token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return "Bearer"


class BrowserAuthentication(SessionAuthentication):
    """The session cookie; every write needs the CSRF token.

    A page that sends files names in `Timba-User` the user who opened it: nothing of it is written
    in the name of another one who has signed in since.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        authenticated = cast("tuple[User, None] | None", super().authenticate(request))
        opened_by = request.headers.get("Timba-User")
        if authenticated and opened_by not in (None, str(authenticated[0].pk)):
            raise NotAuthenticated("Another user has signed in since this page was opened.")
        return authenticated

    def enforce_csrf(self, request: Request) -> None:
        """Check the CSRF token of the header without reading the form.

        Django reads the form first, and so would receive a whole upload before it authenticates the
        user. Without the header, the form is parsed once, by the parsers of the view.
        """
        django_request = copy(request._request)
        django_request.POST = QueryDict()
        if "HTTP_X_CSRFTOKEN" not in request.META and _is_accepted_form(request):
            django_request.POST = cast("Any", request.data)
        super().enforce_csrf(cast("Request", django_request))


def _is_accepted_form(request: Request) -> bool:
    """Whether the body is a form and the view has a parser for it."""
    if not is_form_media_type(request.content_type):
        return False
    negotiator = cast("BaseContentNegotiation", request.negotiator)
    return negotiator.select_parser(request, request.parsers or ()) is not None


def actor_of(request: Request) -> User:
    """Return the user behind a request that DRF has authenticated."""
    return cast("User", request.user)


def user_of(request: HttpRequest) -> User:
    """Return the user behind a plain request that `authenticate_request` has authenticated."""
    return cast("User", request.user)


def authenticate_request(request: HttpRequest) -> User:
    """Return the user of a read request to a plain Django view.

    Raises NotSignedIn or NotAuthenticated without valid credentials. There is no CSRF check.
    """
    token = bearer_token(request)
    if token is not None:
        return get_user_by_access_token(token, recent=True)
    if isinstance(request.user, User):
        return request.user
    raise NotAuthenticated("Sign in first, or send an access token.")
