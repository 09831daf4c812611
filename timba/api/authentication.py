"""Who is asking: a program with an access token, or a browser with its session and CSRF token."""

from __future__ import annotations

from copy import copy
from typing import Any, cast

from django.http import HttpRequest, QueryDict
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request, is_form_media_type

from timba.accounts.models import User
from timba.accounts.tokens import get_user_by_access_token
from timba.errors import NotSignedIn


def bearer_token(request: HttpRequest) -> str | None:
    """Return the token of an `Authorization: Bearer …` header; None without such a header.

    Raises NotSignedIn when there is such a header but no one token in it.
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
    """`Authorization: Bearer <access>`."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        token = bearer_token(request._request)
        return None if token is None else (get_user_by_access_token(token), token)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return "Bearer"


class BrowserAuthentication(SessionAuthentication):
    """The session cookie; every write carries the CSRF token."""

    def enforce_csrf(self, request: Request) -> None:
        """Check the token in the header without looking into the form.

        Django looks there first, and would take in a whole upload before it knows who sends it.
        Without that header the form is read as it is for the view, once.
        """
        read = copy(request._request)
        read.POST = QueryDict()
        if "HTTP_X_CSRFTOKEN" not in request.META and _takes_form(request):
            read.POST = cast("Any", request.data)
        super().enforce_csrf(cast("Request", read))


def _takes_form(request: Request) -> bool:
    """Whether a form has been sent to a view that takes one."""
    if not is_form_media_type(request.content_type):
        return False
    negotiator = cast("BaseContentNegotiation", request.negotiator)
    return negotiator.select_parser(request, request.parsers or ()) is not None


def actor_of(request: Request) -> User:
    """Return the user behind a request that DRF has authenticated."""
    return cast("User", request.user)


def authenticate_request(request: HttpRequest) -> User:
    """Return who is asking at a plain Django view, read only; raise when nobody is signed in."""
    token = bearer_token(request)
    if token is not None:
        return get_user_by_access_token(token)
    if isinstance(request.user, User):
        return request.user
    raise NotAuthenticated("Sign in first, or send an access token.")
