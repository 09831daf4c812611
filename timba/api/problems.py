"""Translates exceptions to responses: RFC 9457 problem details for programs.

The DRF views, plain Django views and Django's error handlers all use this translation, so that a
failure looks the same everywhere; error pages show what `describe_error` returns.
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
from timba.db.errors import is_database_outage, is_disk_full, log_outage
from timba.files.storage import StorageUnavailable
from timba.serialization import dumps

_STATUS_OF: dict[type[Exception], HTTPStatus] = {
    failures.Invalid: HTTPStatus.BAD_REQUEST,
    failures.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    failures.Lapsed: HTTPStatus.PAYMENT_REQUIRED,
    failures.Forbidden: HTTPStatus.FORBIDDEN,
    failures.NotFound: HTTPStatus.NOT_FOUND,
    failures.Conflict: HTTPStatus.CONFLICT,
    failures.Locked: HTTPStatus.LOCKED,
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
# Of statuses that HTTP itself does not have.
_OTHER_TITLES: Final = {460: "Checksum Mismatch"}
_BUSY: Final = "Timba is busy just now. Try again in a moment."


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorResponse:
    """An expected failure, as its response describes it."""

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
    """Return an `application/problem+json` response; `errors` has details by field or file."""
    body = {
        "type": "about:blank",
        "title": _OTHER_TITLES.get(status) or HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return HttpResponse(
        dumps(body), status=status, content_type="application/problem+json", headers=headers
    )


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the response to an expected failure for DRF; None for others, which become a 500."""
    response = problem_for(exc, context["request"]._request)
    if response is not None:
        set_rollback()
    return response


def problem_for(error: Exception, request: HttpRequest) -> HttpResponse | None:
    """Return the response to an expected failure; None for others.

    Browsers that are not signed in are redirected to the sign-in page.
    """
    if isinstance(error, failures.NotSignedIn | exceptions.NotAuthenticated) and prefers_html(
        request
    ):
        return HttpResponseRedirect(
            f"{settings.LOGIN_URL}?{urlencode({'next': _page_after_sign_in(request)})}"
        )
    if isinstance(error, exceptions.APIException):
        return _problem_for_framework(error)
    response = describe_error(error)
    if response is None:
        return None
    detail, fields = response.sentence, getattr(error, "fields", None)
    if fields:
        field, sentences = next(iter(fields.items()))
        detail = f"{field}: {sentences[0]}"
    return problem(response.status, detail, errors=fields, headers=response.headers)


def describe_error(error: Exception) -> ErrorResponse | None:
    """Return status, sentence and headers of an expected failure; None for others.

    The cause of a 503 is logged.
    """
    if is_disk_full(error):
        log_outage(error)
        error = error if isinstance(error, failures.DiskFull) else failures.DiskFull()
    if is_database_outage(error):
        log_outage(error)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return ErrorResponse(status=status, sentence=_BUSY, headers=_headers(error, status))
    if isinstance(error, StorageUnavailable):
        log_outage(error)
    for error_type, status in _STATUS_OF.items():
        if isinstance(error, error_type):
            return ErrorResponse(
                status=status, sentence=_sentence(error), headers=_headers(error, status)
            )
    return None


def prefers_html(request: HttpRequest) -> bool:
    """Whether the Accept header prefers HTML, as browsers send it, to JSON."""
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _page_after_sign_in(request: HttpRequest) -> str:
    """Return the page to open after signing in; a form is not submitted again.

    After a form, this is the page that held it, else the form's own URL where that is a page.
    """
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        page = urlsplit(referer)
        return urlunsplit(("", "", page.path, page.query, ""))
    match = request.resolver_match
    return request.path if match and match.app_name == "web" else str(settings.LOGIN_REDIRECT_URL)


def _sentence(error: Exception) -> str:
    if isinstance(error, failures.DomainError):
        return str(error)
    return next(text for error_type, text in _SENTENCES.items() if isinstance(error, error_type))


def _headers(error: Exception, status: HTTPStatus) -> dict[str, str]:
    if isinstance(error, failures.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        seconds = getattr(error, "retry_after", failures.Unavailable.retry_after)
        return {"Retry-After": str(seconds)}
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
