"""A city's statistic as it is usually built: Django REST framework, simplejwt, a row of totals.

The user is looked up for each request; the middleware is that of a new Django project. Run as a
script, it creates the tables, a user and the row, and prints an access token.
"""

# ruff: noqa: E402 - Django must be configured before models are defined

from __future__ import annotations

import sys
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
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
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

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import AccessToken

from bench.peers.constant import STATISTIC
from timba.runtime.wsgi_adapter import WSGIAdapter


class CityTotals(models.Model):
    """The totals of a city."""

    city_id = models.IntegerField(unique=True)
    name = models.CharField(max_length=100)
    count = models.BigIntegerField()
    min_temp = models.FloatField()
    max_temp = models.FloatField()
    mean_temp = models.FloatField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        app_label = "auth"  # of any installed app: this module is none
        db_table = "usual_citytotals"

    def __str__(self) -> str:
        return self.name


class CityTotalsSerializer(serializers.ModelSerializer[CityTotals]):
    class Meta:
        model = CityTotals
        fields = list(STATISTIC)


class CityTotalsView(APIView):
    def get(self, request: Request, city_id: int) -> Response:  # noqa: ARG002
        return Response(CityTotalsSerializer(CityTotals.objects.get(city_id=city_id)).data)


urlpatterns = [path("temperature-readings/<int:city_id>/", CityTotalsView.as_view())]
application = WSGIAdapter(
    _application, threads=16, address_of=lambda environ: str(environ["REMOTE_ADDR"])
)

if __name__ == "__main__":
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA usual")
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(CityTotals)
    CityTotals.objects.create(**STATISTIC)
    print(AccessToken.for_user(User.objects.create_user("ilze")))
