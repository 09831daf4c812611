"""A bare Django project whose only view returns a constant as JSON, without any middleware."""

from __future__ import annotations

import sys
from typing import Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from timba.runtime.wsgi_adapter import WSGIAdapter

STATISTIC: Final = {
    "city_id": 7,
    "name": "Riga",
    "count": 17520,
    "min_temp": -21.4,
    "max_temp": 33.1,
    "mean_temp": 7.25,
    "first_at": "2024-01-01T00:00:00Z",
    "last_at": "2025-12-31T23:30:00Z",
}


def constant_view(request: HttpRequest, city_id: int) -> JsonResponse:  # noqa: ARG001
    return JsonResponse(STATISTIC)


urlpatterns = [path("temperature-readings/<int:city_id>/", constant_view)]

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=sys.modules[__name__])
    application = WSGIAdapter(
        get_wsgi_application(), threads=16, address_of=lambda environ: str(environ["REMOTE_ADDR"])
    )
