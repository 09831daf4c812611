"""The same nouns as they are usually built: Django REST framework, simplejwt, rows of the database.

The user is looked up for each request; the middleware is that of a new Django project. Run as a
script, it creates the tables and rows, and prints an access token and the id of a log.
"""

# ruff: noqa: E402 - Django must be configured before models are imported

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import environ
from django.conf import settings


def _database() -> dict[str, Any]:
    """Return the database, whose connections stay open, with a schema of its own on PostgreSQL."""
    database: dict[str, Any] = dict(environ.Env().db_url("USUAL_DATABASE_URL"))
    database["CONN_MAX_AGE"] = None
    if "postgresql" in database["ENGINE"]:
        database["OPTIONS"] = {"options": "-c search_path=usual"}
    return database


settings.configure(
    SECRET_KEY="a key of a benchmark, long enough for every check of it",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=sys.modules[__name__],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    AUTH_USER_MODEL="usual.User",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "bench.peers.usual"],
    # All tables are created at once: those of users refer to those of permissions.
    MIGRATION_MODULES={"contenttypes": None, "auth": None},
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={"default": _database()},
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(minutes=15)},  # as long as Timba's
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
)

from django.core.wsgi import get_wsgi_application

_application = get_wsgi_application()

from django.core.management import call_command
from django.db import connection
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework_simplejwt.tokens import AccessToken

from bench.peers.constant import MEASURES, NOTE, STATISTIC
from bench.peers.usual.models import CityTotals, Client, Consignment, Log, Note, User
from bench.peers.usual.views import CityTotalsView, LogViewSet, NoteViewSet, live_view
from timba.runtime.wsgi_adapter import WSGIAdapter

_router = SimpleRouter()
_router.register("logs", LogViewSet, basename="log")
_router.register("notes", NoteViewSet, basename="note")
urlpatterns = [
    path("temperature-readings/<int:city_id>/", CityTotalsView.as_view()),
    path("api/", include(_router.urls)),
    path("health/live", live_view),
]
application = WSGIAdapter(
    _application, threads=16, address_of=lambda environ: str(environ["REMOTE_ADDR"])
)

if __name__ == "__main__":
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA usual")
    call_command("migrate", verbosity=0, run_syncdb=True)
    client = Client.objects.create(name="Sawmill")
    user = User.objects.create_user("ilze", client=client)
    consignment = Consignment.objects.create(client=client, name="Oak, March")
    CityTotals.objects.create(**STATISTIC)
    for number in range(20):
        log = Log.objects.create(
            client=client,
            consignment=consignment,
            barcode=f"TB-1-{number}",
            volume=0.378,
            created_by=user,
            **MEASURES,
        )
    for _ in range(200):
        Note.objects.create(client=client, consignment=consignment, **NOTE)
    print(json.dumps({"token": str(AccessToken.for_user(user)), "log_id": log.pk}))
