"""Every refusal that a program gets, as RFC 9457 problem details; the one translation of errors.

Used by the DRF views, by the plain Django views and by Django's own error handlers, so that one
failure looks the same at every door; a page says of it what `describe_error` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    UnreadablePostError,
)
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework import exceptions
from rest_framework.views import set_rollback

from timba import errors as failures
from timba.db.outages import is_database_outage, log_outage
from timba.files.storage import StorageUnavailable
from timba.serialization import dumps

_STATUS_OF: dict[type[Exception], HTTPStatus] = {
    failures.Invalid: HTTPStatus.BAD_REQUEST,
    failures.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    failures.Lapsed: HTTPStatus.PAYMENT_REQUIRED,
    failures.Forbidden: HTTPStatus.FORBIDDEN,
    failures.NotFound: HTTPStatus.NOT_FOUND,
    failures.Conflict: HTTPStatus.CONFLICT,
    failures.BodyTimeout: HTTPStatus.REQUEST_TIMEOUT,
    failures.LengthRequired: HTTPStatus.LENGTH_REQUIRED,
    failures.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    failures.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    failures.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    RequestDataTooBig: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    SuspiciousOperation: HTTPStatus.BAD_REQUEST,
    UnreadablePostError: HTTPStatus.BAD_REQUEST,
    Http404: HTTPStatus.NOT_FOUND,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_SENTENCES: dict[type[Exception], str] = {
    RequestDataTooBig: "The body is larger than is accepted here.",
    TooManyFieldsSent: "The form has too many fields.",
    TooManyFilesSent: "The form has too many files.",
    SuspiciousOperation: "The request is malformed.",
    UnreadablePostError: "The body broke off before its end. Send it again.",
    Http404: "There is nothing here.",
    PermissionDenied: "Your role does not allow this.",
    StorageUnavailable: "The store of files cannot be reached just now. Try again in a moment.",
}


_BUSY: Final = "Timba is busy just now. Try again in a moment."


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorResponse:
    """An expected failure, as its caller is told of it."""

    status: HTTPStatus
    sentence: str
    headers: Mapping[str, str]


def problem(
    status: int,
    detail: str,
    *,
    errors: Any = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return an `application/problem+json` answer; `errors` say more about fields or files."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return HttpResponse(
        dumps(body), status=status, content_type="application/problem+json", headers=headers
    )


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Answer for DRF; None lets an unexpected failure crash loudly, into the log and a 500."""
    answer = problem_for(exc, context["request"]._request)
    if answer is not None:
        set_rollback()
    return answer


def problem_for(error: Exception, request: HttpRequest) -> HttpResponse | None:
    """Translate an expected failure; a browser that is not signed in is sent to sign in."""
    if isinstance(error, failures.NotSignedIn | exceptions.NotAuthenticated) and prefers_html(
        request
    ):
        return HttpResponseRedirect(
            f"{settings.LOGIN_URL}?{urlencode({'next': _page_to_go_on_to(request)})}"
        )
    if isinstance(error, exceptions.APIException):
        return _problem_for_framework(error)
    refusal = describe_error(error)
    if refusal is None:
        return None
    detail, fields = refusal.sentence, getattr(error, "fields", None)
    if fields:
        field, sentences = next(iter(fields.items()))
        detail = f"{field}: {sentences[0]}"
    return problem(refusal.status, detail, errors=fields, headers=refusal.headers)


def describe_error(error: Exception) -> ErrorResponse | None:
    """Return how an expected failure is told; None of any other. The cause of a 503 is logged."""
    if is_database_outage(error):
        log_outage(error)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return ErrorResponse(status=status, sentence=_BUSY, headers=_headers(error, status))
    if isinstance(error, StorageUnavailable):
        log_outage(error)
    for known, status in _STATUS_OF.items():
        if isinstance(error, known):
            return ErrorResponse(
                status=status, sentence=_sentence(error), headers=_headers(error, status)
            )
    return None


def prefers_html(request: HttpRequest) -> bool:
    """Whether a person with a browser is asking, not a program."""
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _page_to_go_on_to(request: HttpRequest) -> str:
    """Return what a browser asks for after signing in: what was sent is not sent again.

    A form leads back to its page, else to its own address where that is a page's.
    """
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        page = urlsplit(referer)
        return urlunsplit(("", "", page.path, page.query, ""))
    asked = request.resolver_match
    return request.path if asked and asked.app_name == "web" else str(settings.LOGIN_REDIRECT_URL)


def _sentence(error: Exception) -> str:
    if isinstance(error, failures.DomainError):
        return str(error)
    return next(text for known, text in _SENTENCES.items() if isinstance(error, known))


def _headers(error: Exception, status: HTTPStatus) -> dict[str, str]:
    if isinstance(error, failures.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(failures.Unavailable.retry_after)}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return {}


def _problem_for_framework(error: exceptions.APIException) -> HttpResponse:
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, exceptions.MethodNotAllowed):
        return problem(error.status_code, str(error.detail), headers=headers)
    if isinstance(error, exceptions.ValidationError):
        fields: dict[str, list[str]] = {}
        for field, sentence in _flatten(error.detail):
            fields.setdefault(field, []).append(sentence)
        general = fields.pop("", []) + fields.pop("non_field_errors", [])
        first = general[0] if general else "{}: {}".format(*next(_flatten(error.detail)))
        return problem(error.status_code, first, errors=fields or None, headers=headers)
    return problem(error.status_code, str(error.detail), headers=headers)


def _flatten(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, sentence); nested fields are joined by dots."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flatten(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flatten(inner, path)
    else:
        yield path, str(detail)
