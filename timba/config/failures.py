"""What Django itself refuses, said in the caller's language: a page or problem details."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from timba.api.problems import prefers_html, problem

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is malformed.",
    HTTPStatus.FORBIDDEN: "This is not allowed: the CSRF token is missing or not right.",
    HTTPStatus.NOT_FOUND: "There is nothing here.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something unexpected happened. It has been written down.",
}


def _answer(status: HTTPStatus) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, exception: object = None, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signatures
        if prefers_html(request):
            return render(request, f"{status.value}.html", status=status)
        return problem(status, _DETAILS[status])

    return view


bad_request = _answer(HTTPStatus.BAD_REQUEST)
permission_denied = _answer(HTTPStatus.FORBIDDEN)
csrf_failure = _answer(HTTPStatus.FORBIDDEN)
not_found = _answer(HTTPStatus.NOT_FOUND)
server_error = _answer(HTTPStatus.INTERNAL_SERVER_ERROR)
