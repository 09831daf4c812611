"""All doors of the house, and what stands before one that is not there."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include
from django.urls import path as django_path
from django.views.generic import RedirectView

from timba.api.health import LivenessView, ReadinessView
from timba.config.shared_doors import index, upload
from timba.urls import path
from timba.web.admin.site import staff_site

urlpatterns: list[URLPattern | URLResolver] = [
    # Before the API's own: these two answer browsers with a page.
    path("api/", index),
    path("upload/", upload),
    django_path("", include("timba.api.urls")),
    django_path("", include("timba.web.urls")),
    path(
        "admin/login/",
        login_not_required(RedirectView.as_view(pattern_name="web:login", query_string=True)),
    ),
    django_path("admin/", staff_site.urls),
    path("health/live", LivenessView.as_view(), name="live"),
    path("health/ready", ReadinessView.as_view(), name="ready"),
]

handler400 = "timba.config.error_views.bad_request"
handler403 = "timba.config.error_views.permission_denied"
handler404 = "timba.config.error_views.not_found"
handler500 = "timba.config.error_views.server_error"
