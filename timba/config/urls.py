"""The root URL configuration, with two addresses that a page and the API share."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver, include
from django.urls import path as django_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from timba.accounts.tokens import get_user_by_access_token
from timba.api.authentication import bearer_token
from timba.api.docs import IndexView
from timba.api.files import TemperatureUploadView
from timba.api.health import LivenessView, ReadinessView
from timba.api.metrics import MetricsView
from timba.api.problems import prefers_html
from timba.urls import path, site_path
from timba.web.admin.site import staff_site
from timba.web.views.files import upload_page, upload_temperatures_page

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_api_index = IndexView.as_view()
_api_upload = TemperatureUploadView.as_view()


@csrf_exempt
def _index_or_page(request: HttpRequest) -> HttpResponseBase:
    """Serve `/api/`: the upload page for a browser, the index of the API for a program.

    Exempt from Django's CSRF check: the index is a DRF view that accepts no writes.
    """
    if request.method in _SAFE_METHODS and prefers_html(request):
        return upload_page(request)
    return _api_index(request)


@csrf_exempt
def _upload_or_page(request: HttpRequest) -> HttpResponseBase:
    """Serve `/upload/`: the page with the form for GET and HEAD, the API's upload for the rest.

    Exempt from Django's CSRF check, which would read the whole form first; the upload view has its
    own check.
    """
    if request.method not in _SAFE_METHODS:
        return _api_upload(request)
    token = bearer_token(request)
    if token is not None:
        request.user = get_user_by_access_token(token)
    return upload_temperatures_page(request)


urlpatterns: list[URLPattern | URLResolver] = [
    # First, because routes are tried one after the other, and monitors ask all day.
    path("health/live", LivenessView.as_view(), name="live"),
    path("health/ready", ReadinessView.as_view(), name="ready"),
    # Before the API's own routes, because browsers get a page at these two addresses.
    path("api/", _index_or_page),
    path("upload/", _upload_or_page),
    django_path("", include("timba.api.urls")),
    django_path("", include("timba.web.urls")),
    path(
        "admin/login/",
        login_not_required(RedirectView.as_view(pattern_name="web:login", query_string=True)),
    ),
    site_path("admin/", staff_site.urls),
    path("metrics", MetricsView.as_view(), name="metrics"),
]

handler400 = "timba.config.error_views.bad_request"
handler403 = "timba.config.error_views.permission_denied"
handler404 = "timba.config.error_views.not_found"
handler500 = "timba.config.error_views.server_error"
