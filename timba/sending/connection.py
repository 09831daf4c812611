"""A signed-in connection to a Timba server."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests

# To connect, and between two pieces of an answer: a network that stands still is given up.
_TIMEOUT: Final = (10.0, 60.0)
# An access token lives 15 minutes; a chunk of an upload may take some of them.
_TOKEN_SECONDS: Final = 300.0
_UNAUTHORIZED: Final = 401
# The body came too slowly; too many attempts.
_TRY_LATER: Final = frozenset({408, 429})
_SERVER_ERRORS: Final = 500


class Refused(Exception):
    """The server refuses what was asked; the message is its sentence, `status` its status code."""

    def __init__(self, sentence: str, *, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class SignInRefused(Exception):
    """The server does not know this user name and password."""


class Interrupted(Exception):
    """What was asked is not done, and can be asked again: the message says why."""


class Unavailable(Interrupted):
    """The server cannot be reached, or can do nothing now."""


class Server:
    """A Timba server, as one of its users."""

    def __init__(self, url: str, *, username: str, password: str) -> None:
        self.url = url.rstrip("/") + "/"
        self.username = username
        self._password = password
        self._session = requests.Session()
        self._signed_in_at = float("-inf")

    def request(self, method: str, address: str, **options: Any) -> requests.Response:
        """Send a request to a path or an address of the server; return the answer.

        Raises Refused, SignInRefused and Interrupted. Redirects are not followed: they would
        change what is asked.
        """
        if time.monotonic() - self._signed_in_at > _TOKEN_SECONDS:
            self.sign_in()
        response = self._send(method, address, **options)
        if response.status_code == _UNAUTHORIZED:
            # A password that was changed, or a server with a new key.
            self.sign_in()
            response = self._send(method, address, **options)
        if response.ok and not response.is_redirect:
            return response
        raise Refused(_sentence(response), status=response.status_code)

    def sign_in(self) -> None:
        """Get a token, as every request does that lacks one. Raises as `request` does."""
        self._session.headers.pop("Authorization", None)
        body = {"username": self.username, "password": self._password}
        response = self._send("POST", "api/token/", json=body)
        if response.status_code == _UNAUTHORIZED:
            raise SignInRefused(f"{self.url} knows no user “{self.username}” with this password.")
        if not response.ok or response.is_redirect:
            raise Refused(_sentence(response), status=response.status_code)
        try:
            token = response.json()["access"]
        except (ValueError, KeyError):
            raise Refused(f"There is no Timba at {self.url}") from None
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._signed_in_at = time.monotonic()

    def _send(self, method: str, address: str, **options: Any) -> requests.Response:
        # The token is for this server alone, whatever host an address of an answer names.
        url = urljoin(self.url, urlsplit(address).path)
        try:
            response = self._session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Unavailable(f"{self.url} cannot be reached: {_reason(error)}") from error
        if response.status_code >= _SERVER_ERRORS or response.status_code in _TRY_LATER:
            raise Unavailable(_sentence(response))
        return response


def _sentence(response: requests.Response) -> str:
    """Return the sentences of a problem (RFC 9457), or what else there is to say."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        errors = problem.get("errors")
        if isinstance(errors, dict):
            return " ".join(str(each) for sentences in errors.values() for each in sentences)
        if problem.get("detail"):
            return str(problem["detail"])
    return f"The server answered {f'{response.status_code} {response.reason}'.strip()}."


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not valid: {error}"
    if isinstance(error, requests.Timeout):
        return "it does not answer."
    return "there is no connection."
