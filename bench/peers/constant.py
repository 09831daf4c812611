"""A bare Django project whose views return constants as JSON, without any middleware.

The other applications fill their tables from the same constants.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from timba.runtime.wsgi_adapter import WSGIAdapter

LIMIT: Final = 10
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
TIMES: Final = {"created_at": "2025-06-01T12:00:00Z", "updated_at": "2025-06-01T12:00:00Z"}
MEASURES: Final = {"length": 4.2, "breadth": 30.0, "height": 30.0}
LOG: Final = {
    "id": 1,
    "consignment_id": 1,
    "client_id": 1,
    "barcode": "TB-1-1",
    **MEASURES,
    "volume": 0.378,
    "created_by": 1,
    **TIMES,
}
NOTE: Final = {"title": "Bark", "content": "Two logs have lost their bark."}
NOTES: Final = {
    "results": [{"id": i, **NOTE, "consignment_id": 1, **TIMES} for i in range(LIMIT)],
    "next": "http://127.0.0.1/api/notes/?limit=10&cursor=MTkx",
}
LIVE: Final = {"status": "ok"}


def constant_view(request: HttpRequest, content: dict[str, Any], **_: Any) -> JsonResponse:  # noqa: ARG001
    return JsonResponse(content)


urlpatterns = [
    path("temperature-readings/<int:city_id>/", constant_view, {"content": STATISTIC}),
    path("timba/log", constant_view, {"content": LOG}),
    path("api/notes/", constant_view, {"content": NOTES}),
    path("health/live", constant_view, {"content": LIVE}),
]

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=sys.modules[__name__])
    application = WSGIAdapter(
        get_wsgi_application(), threads=16, address_of=lambda environ: str(environ["REMOTE_ADDR"])
    )
