"""“Operations”: health, the admin pages, OpenAPI and its pages, CORS, trusted proxies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from timba.accounts.models import User
from timba.api.docs import openapi_document

pytestmark = pytest.mark.django_db

# The paths and methods that OpenAPI must describe, as the contract spells them.
PATHS = {
    "/api/": "GET",
    "/api/token/": "POST",
    "/api/token/refresh/": "POST",
    "/api/token/revoke/": "POST",
    "/upload/": "POST",
    "/temperature-readings/": "GET",
    "/temperature-readings/{city_id}/": "GET POST",
    "/temperature-readings/{city_id}/series/": "GET",
    "/api/cities/{city_id}/": "PUT",
    "/api/upload/": "POST",
    "/api/task-status/": "GET",
    "/api/files/": "GET POST",
    "/api/files/{id}/": "GET PATCH DELETE",
    "/api/files/{id}/content/": "GET",
    "/api/files/{id}/rejects/": "GET",
    "/api/files/{id}/annotated/": "GET",
    "/api/files/{id}/preview/": "GET",
    "/api/files/{id}/restore/": "POST",
    "/api/files/{id}/retry/": "POST",
    "/api/files/archive/": "GET",
    "/api/files/bulk/": "POST",
    "/api/files/tus/": "POST",
    "/api/files/tus/{id}/": "PATCH DELETE",
    "/api/files/retry-failed/": "POST",
    "/api/import-profiles/": "GET",
    "/api/import-profiles/{id}/": "GET PATCH DELETE",
    "/api/notes/": "GET POST",
    "/api/notes/{id}/": "GET PUT PATCH DELETE",
    "/api/events/": "GET",
    "/api/clients/": "GET POST",
    "/api/clients/{id}/": "GET PATCH",
    "/api/clients/{id}/subscription/": "GET PATCH",
    "/api/users/": "GET POST",
    "/api/users/{id}/": "GET PATCH DELETE",
    "/api/roles/": "GET POST",
    "/api/roles/{id}/": "GET PATCH DELETE",
    "/api/consignments/": "GET POST",
    "/api/consignments/{id}/": "GET PATCH DELETE",
    "/api/consignments/{id}/restore/": "POST",
    "/api/consignments/{id}/logs/": "GET POST",
    "/api/logs/{id}/": "GET PATCH DELETE",
    "/api/consignments/{id}/tally.xlsx": "GET",
    "/api/consignments/{id}/tally.csv": "GET",
    "/api/consignments/{id}/tally.pdf": "GET",
    "/timba/client": "GET PUT",
    "/timba/user": "GET PUT PATCH DELETE",
    "/timba/users": "GET",
    "/timba/role": "PUT",
    "/timba/roles": "GET",
    "/timba/consignment": "GET PUT PATCH DELETE",
    "/timba/consignments": "GET",
    "/timba/log": "GET PUT PATCH DELETE",
    "/timba/logs": "GET",
    "/health/live": "GET",
    "/health/ready": "GET",
    "/metrics": "GET",
}


def test_a_running_process_is_live() -> None:
    assert APIClient().get("/health/live").status_code == 200


@pytest.mark.usefixtures("health_forgets")
def test_readiness_reports_every_configured_part(settings: Any) -> None:
    response = APIClient().get("/health/ready")
    assert response.status_code == 200
    parts = {"database", "storage", "sandbox"}
    parts |= {"broker"} if settings.BROKER_URL else set()
    parts |= {"kafka", "events"} if settings.KAFKA_BOOTSTRAP_SERVERS else set()
    assert response.json() == {
        "status": "ok",
        "version": openapi_document()["info"]["version"],
        "checks": dict.fromkeys(parts, "ok"),
    }


def test_metrics_are_for_allowed_direct_peers_only(settings: Any) -> None:
    settings.TIMBA_METRICS_ALLOW = ["127.0.0.0/8", "::1"]
    client = APIClient()
    response = client.get("/metrics")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert b"timba_database_up 1.0" in response.content
    assert_problem(client.get("/metrics", REMOTE_ADDR="10.0.0.5"), 403)
    assert_problem(client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}), 403)


@pytest.mark.usefixtures("health_forgets")
def test_an_unavailable_kafka_only_degrades_readiness(settings: Any) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    response = APIClient().get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["kafka"] != "ok"


@pytest.mark.usefixtures("health_forgets")
def test_readiness_without_storage_is_503(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    folder = {
        "BACKEND": "timba.files.storage.LocalStorage",
        "OPTIONS": {"location": tmp_path / "files"},
    }
    settings.STORAGES = {**settings.STORAGES, "default": folder}
    response = APIClient().get("/health/ready")
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response.json()["checks"]["storage"] != "ok"


def test_the_admin_pages_are_for_staff(staff: User, make_user: MakeUser) -> None:
    browser = Browser(headers={"accept": "text/html"})
    browser.force_login(staff)
    assert browser.get("/admin/").status_code == 200
    browser.force_login(make_user())
    response = browser.get("/admin/")
    assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/admin/")


def test_the_schema_is_openapi_3_1_and_public() -> None:
    for path in ("/api/schema/", "/api/schema"):
        response = APIClient().get(path)
        assert response.status_code == 200
        payload = response.json()
        assert payload["openapi"].startswith("3.1")
        assert {
            path: {method.upper() for method in operations}
            for path, operations in payload["paths"].items()
        } == {path: set(methods.split()) for path, methods in PATHS.items()}


def test_operation_ids_consist_of_method_and_path() -> None:
    ids = [
        operation["operationId"]
        for operations in openapi_document()["paths"].values()
        for operation in operations.values()
    ]
    assert len(set(ids)) == len(ids)
    assert {"get_api_notes", "get_api_notes_id", "put_timba_log"} <= set(ids)


def test_the_documentation_pages_load_nothing_external_and_nothing_inline() -> None:
    for path in ("/api/docs/", "/api/docs"):
        response = APIClient().get(path)
        assert response.status_code == 200
        assert b"http" not in response.content
        assert b"<style" not in response.content
        assert b"<script>" not in response.content
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]


def test_the_schema_is_valid(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=os.fspath(tmp_path / "s.yml"))


def test_only_configured_origins_are_allowed(settings: Any, make_user: MakeUser) -> None:
    def allowed(origin: str) -> str | None:
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        response = Browser().options("/api/notes/", headers=headers)
        return response.headers.get("Access-Control-Allow-Origin")

    assert allowed("https://yard.example") is None
    settings.CORS_ALLOWED_ORIGINS = ["https://yard.example"]
    assert allowed("https://yard.example") == "https://yard.example"
    assert allowed("https://other.example") is None


def test_forwarding_headers_are_accepted_only_from_trusted_proxies(settings: Any) -> None:
    settings.TIMBA_TRUSTED_PROXIES = ["10.2.2.0/24"]

    def statuses(peer: str) -> list[int]:
        """Return the statuses of six failed sign-ins, each with another forwarded address."""
        return [
            APIClient(REMOTE_ADDR=peer, headers={"X-Forwarded-For": f"8.8.8.{number}"})
            .post("/api/token/", {"username": "nobody", "password": "wrong"})
            .status_code
            for number in range(6)
        ]

    assert statuses("10.1.1.1") == [401] * 5 + [429]
    assert statuses("10.2.2.2") == [401] * 6
