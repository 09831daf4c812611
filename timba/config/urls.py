"""All doors of the house, and what stands before one that is not there."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include

from timba.config.health import LiveDoor, ReadyDoor
from timba.routing import path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("timba.api.urls")),
    path("health/live", LiveDoor.as_view(), name="live"),
    path("health/ready", ReadyDoor.as_view(), name="ready"),
]

handler400 = "timba.config.failures.bad_request"
handler403 = "timba.config.failures.permission_denied"
handler404 = "timba.config.failures.not_found"
handler500 = "timba.config.failures.server_error"
