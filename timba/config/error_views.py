"""What is refused, said in the caller's language: a page or problem details."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from timba.api.problems import describe_error, prefers_html, problem, problem_for
from timba.db.outages import is_database_outage
from timba.web.pages import render_error, show_refusal

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is malformed.",
    HTTPStatus.FORBIDDEN: "This is not allowed: the CSRF token is missing or not right.",
    HTTPStatus.NOT_FOUND: "There is nothing here.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something unexpected happened. It has been written down.",
}


def _answer(status: HTTPStatus) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, exception: object = None, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signatures
        if prefers_html(request):
            return render_error(f"{status.value}.html", status=status)
        return problem(status, _DETAILS[status])

    return view


permission_denied = _answer(HTTPStatus.FORBIDDEN)
csrf_failure = _answer(HTTPStatus.FORBIDDEN)
not_found = _answer(HTTPStatus.NOT_FOUND)
_malformed = _answer(HTTPStatus.BAD_REQUEST)
_unexpected = _answer(HTTPStatus.INTERNAL_SERVER_ERROR)


def bad_request(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    """Answer what is malformed; Django says so of a session too that the database did not take."""
    while exception is not None and not is_database_outage(exception):
        exception = exception.__cause__ or exception.__context__
    refused = refuse(request, exception) if isinstance(exception, Exception) else None
    return refused or _malformed(request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for what was raised where no view is: Django's own middleware writes sessions."""
    error = sys.exc_info()[1]
    refused = refuse(request, error) if isinstance(error, Exception) else None
    return refused or _unexpected(request)


def refuse(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Answer an expected failure; None is for those that nobody expected."""
    refusal = describe_error(error)
    if refusal is None:
        return None
    if refusal.status == HTTPStatus.UNAUTHORIZED or not prefers_html(request):
        return problem_for(error, request)
    if refusal.status == HTTPStatus.NOT_FOUND:
        return not_found(request)
    page = show_refusal(status=refusal.status, advice=refusal.sentence)
    for name, value in refusal.headers.items():
        page[name] = value
    return page
