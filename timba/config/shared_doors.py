"""The two addresses where a page and a JSON door stand side by side."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from timba.accounts.tokens import user_of
from timba.api.authentication import bearer_token
from timba.api.docs import IndexView
from timba.api.files import TemperatureUploadView
from timba.api.problems import prefers_html
from timba.web.views.files import upload_page, upload_temperatures_page

_index = IndexView.as_view()
_upload_temperatures = TemperatureUploadView.as_view()
_READING = frozenset({"GET", "HEAD"})


@csrf_exempt
def index(request: HttpRequest) -> HttpResponseBase:
    """`/api/`: the upload page for a browser, the index of the API for a program.

    Exempt from Django's own CSRF check: the index is a view of DRF, which takes no writes.
    """
    if request.method in _READING and prefers_html(request):
        return upload_page(request)
    return _index(request)


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponseBase:
    """`/upload/`: the page with the form for whoever reads, the door for whoever sends.

    Exempt from Django's own CSRF check, which would read the whole form first; the door makes
    its own.
    """
    if request.method not in _READING:
        return _upload_temperatures(request)
    token = bearer_token(request)
    if token is not None:
        request.user = user_of(token)
    return upload_temperatures_page(request)
