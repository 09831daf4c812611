"""Error responses in the caller's format: a page for browsers, problem details for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from timba.api.problems import describe_error, prefers_html, problem, problem_for
from timba.db.errors import is_database_outage
from timba.web.pages import render_error, render_refusal

_SENTENCES = {
    HTTPStatus.BAD_REQUEST: "The request is malformed.",
    HTTPStatus.FORBIDDEN: "This is not allowed: the CSRF token is missing or not right.",
    HTTPStatus.NOT_FOUND: "There is nothing here.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something unexpected happened. It has been written down.",
}


def _error_view(status: HTTPStatus) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, exception: object = None, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signatures
        if prefers_html(request):
            return render_error(f"{status.value}.html", status=status)
        return problem(status, _SENTENCES[status])

    return view


permission_denied = _error_view(HTTPStatus.FORBIDDEN)
csrf_failure = _error_view(HTTPStatus.FORBIDDEN)
not_found = _error_view(HTTPStatus.NOT_FOUND)
_bad_request = _error_view(HTTPStatus.BAD_REQUEST)
_server_error = _error_view(HTTPStatus.INTERNAL_SERVER_ERROR)


def bad_request(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    """Return 400, or 503 where Django calls a database outage a bad request.

    It raises SuspiciousOperation when a session cannot be saved, with the outage as its cause.
    """
    while exception is not None and not is_database_outage(exception):
        exception = exception.__cause__ or exception.__context__
    response = error_response(request, exception) if isinstance(exception, Exception) else None
    return response or _bad_request(request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500, or the response to an expected failure that was raised in Django's middleware."""
    error = sys.exc_info()[1]
    response = error_response(request, error) if isinstance(error, Exception) else None
    return response or _server_error(request)


def error_response(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the response to an expected failure; None if the failure is unexpected."""
    refusal = describe_error(error)
    if refusal is None:
        return None
    if refusal.status == HTTPStatus.UNAUTHORIZED or not prefers_html(request):
        return problem_for(error, request)
    if refusal.status == HTTPStatus.NOT_FOUND:
        return not_found(request)
    response = render_refusal(status=refusal.status, advice=refusal.sentence)
    for name, value in refusal.headers.items():
        response[name] = value
    return response
