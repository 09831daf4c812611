"""The failures that Timba expects. Services raise them; views translate them into responses.

The docstring of a class is its default message, which users see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """The request was refused."""

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or (type(self).__doc__ or "").strip())


class Invalid(DomainError):
    """The request is not valid."""

    def __init__(
        self, sentence: str | None = None, *, fields: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.fields = {name: list(sentences) for name, sentences in (fields or {}).items()}
        if sentence is None and self.fields:
            sentence = next(iter(self.fields.values()))[0]
        super().__init__(sentence)


class NotSignedIn(DomainError):
    """Sign in first: the credentials are missing, wrong or no longer valid."""


class Lapsed(DomainError):
    """The subscription has lapsed: reading goes on, writing waits until it is renewed."""


class SeatsTaken(Lapsed):
    """All seats of the subscription are taken: deactivate a user or add seats."""


class QuotaExceeded(Lapsed):
    """The files of the subscription take all the bytes of its quota: ask for more."""


class Forbidden(DomainError):
    """Your role does not allow this."""


class NotFound(DomainError):
    """Not found."""


class Conflict(DomainError):
    """This conflicts with what exists already."""


class Locked(DomainError):
    """Another request is just working on this: try again in a moment."""


class BodyTimeout(DomainError):
    """The body came too slowly: send at least 1 kB a second."""


class LengthRequired(DomainError):
    """Send the body with a Content-Length: chunked bodies are not accepted at this address."""


class TooLarge(DomainError):
    """It is larger than is accepted here."""


class TooManyAttempts(DomainError):
    """Too many attempts: wait a while, then try again."""

    def __init__(self, sentence: str | None = None, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unavailable(DomainError):
    """A required service is unavailable: try again in a moment."""

    retry_after = 5


class DiskFull(Unavailable):
    """The server's disk is nearly full: nothing can be added until there is space again."""

    retry_after = 60
