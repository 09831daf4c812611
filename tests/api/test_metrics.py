"""`/metrics`: who gets them, and what the database and the requests contribute."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as HttpClient
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import ClientFactory, Tenant
from timba.accounts.models import Subscription
from timba.api import metrics
from timba.events.leases import Lease
from timba.events.models import OutboxEvent, ProcessLease
from timba.files.models import File, OcrJob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _metrics_for_loopback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIMBA_METRICS_ALLOW = ["127.0.0.0/8", "::1"]
    monkeypatch.setattr(metrics, "_CACHE_SECONDS", -1.0)
    # Another module may have asked for them a moment ago.
    monkeypatch.setattr(metrics._database, "_expires_at", float("-inf"))


def samples(client: HttpClient) -> dict[str, float]:
    """Return the value of each sample by its name and labels, as they are written."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
    lines = response.content.decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


# --- Access --------------------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.5", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 403),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 403),
        ("10.0.0.5", {"X-Forwarded-For": "127.0.0.1"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_only_direct_peers_that_are_allowed_get_metrics(
    client: HttpClient, settings: Settings, path: str, peer: str, headers: Any, status: int
) -> None:
    # Even a proxy that is trusted otherwise.
    settings.TIMBA_TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.5"]
    response = client.get(path, headers=headers, REMOTE_ADDR=peer)
    assert response.status_code == status
    if status == 403:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"] == (
            "Metrics are only for the addresses in TIMBA_METRICS_ALLOW, and not through a proxy."
        )
        assert b"timba_" not in response.content


@pytest.mark.only_on("sqlite")
def test_other_networks_can_be_allowed(client: HttpClient, settings: Settings) -> None:
    settings.TIMBA_METRICS_ALLOW = ["10.0.0.0/8"]
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.5").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 403


# --- What processes count ------------------------------------------------------------------------


@pytest.mark.only_on("sqlite")
def test_requests_are_counted_by_the_pattern_of_their_url(tenant: Tenant) -> None:
    client = HttpClient()
    name = 'timba_requests_total{{endpoint="{}",method="{}",status="{}"}}'
    file = name.format("/api/files/<uuid:pk>/", "GET", "2xx")
    absent = name.format("other", "other", "4xx")
    before = samples(client)
    assert api_client_of(tenant.user).get(f"/api/files/{tenant.file.pk}/").status_code == 200
    client.generic("SECRET", "/secret-path/")
    after = samples(client)
    assert after[file] == before.get(file, 0) + 1
    assert after[absent] == before.get(absent, 0) + 1
    assert not any("ecret" in sample or str(tenant.file.pk) in sample for sample in after)
    seconds = 'timba_request_seconds_bucket{endpoint="/api/files/<uuid:pk>/",le="30.0"}'
    assert after[seconds] == after[seconds.replace("30.0", "+Inf")]


@pytest.mark.only_on("sqlite")
def test_refused_sign_ins_are_counted_by_reason(make_user: MakeUser) -> None:
    client, credentials = HttpClient(), {"username": make_user().username, "password": "wrong"}
    before = samples(client)
    for _ in range(6):
        client.post("/api/token/", credentials, content_type="application/json")
    after = samples(client)
    for reason, count in (("credentials", 5), ("locked", 1)):
        name = f'timba_sign_in_refusals_total{{reason="{reason}"}}'
        assert after[name] == before.get(name, 0) + count


# --- What the database knows ---------------------------------------------------------------------


def test_files_and_bytes_are_those_of_the_rows(client: HttpClient, tenant: Tenant) -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    waiting = {"status": "PENDING", "queue": "bulk", "client": tenant.client}
    for number in range(2):
        file = File.unscoped.create(name="a", storage_key=str(number), **waiting)
    File.unscoped.filter(pk=file.pk).update(touched_at=an_hour_ago)
    Subscription.objects.filter(client=tenant.client).update(quota_bytes=1000)
    other = ClientFactory()
    found = samples(client)
    assert found['timba_files{status="PENDING"}'] == 2
    assert found['timba_files{status="SUCCESS"}'] == 1
    assert found['timba_files{status="FAILURE"}'] == 0
    assert 3600 <= found['timba_oldest_pending_seconds{queue="bulk"}'] < 3700
    assert found['timba_oldest_pending_seconds{queue="fast"}'] == 0
    used = f'timba_client_used_bytes{{client_id="{tenant.client.pk}"}}'
    assert found[used] == tenant.file.size
    quota = 'timba_client_quota_bytes{{client_id="{}"}}'
    assert found[quota.format(tenant.client.pk)] == 1000
    assert quota.format(other.pk) not in found
    assert found["timba_database_up"] == 1


def test_files_that_wait_for_ocr_are_those_of_its_jobs(client: HttpClient, tenant: Tenant) -> None:
    assert samples(client)["timba_oldest_ocr_seconds"] == 0
    job = OcrJob.unscoped.create(file=tenant.file, client=tenant.client, run=tenant.file.run)
    OcrJob.unscoped.update(created_at=timezone.now() - timedelta(hours=1))
    assert 3600 <= samples(client)["timba_oldest_ocr_seconds"] < 3700
    # What no process will claim does not wait.
    OcrJob.unscoped.update(run=job.run + 1)
    assert samples(client)["timba_oldest_ocr_seconds"] == 0


def test_events_and_the_relay_are_those_of_the_outbox(
    client: HttpClient, tenant: Tenant, settings: Settings
) -> None:
    assert not any(name.startswith(("timba_events", "timba_relay")) for name in samples(client))
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    OutboxEvent.objects.update(time=timezone.now() - timedelta(hours=1))
    found = samples(client)
    assert found["timba_events_waiting"] == OutboxEvent.objects.count() > 0
    assert 3600 <= found["timba_oldest_event_seconds"] < 3700
    assert found["timba_relay_leader"] == 0
    in_a_minute = timezone.now() + timedelta(minutes=1)
    ProcessLease.objects.create(name=0, token=1, expires_at=in_a_minute)
    OutboxEvent.objects.update(published_at=timezone.now())
    found = samples(client)
    assert (found["timba_events_waiting"], found["timba_oldest_event_seconds"]) == (0, 0)
    assert found["timba_relay_leader"] == 1


def test_the_lake_has_a_leader_where_it_is_used(client: HttpClient, db: None) -> None:
    assert "timba_lake_leader" not in samples(client)
    lease = Lease(ProcessLease.Name.LAKE)
    assert lease.renew()
    assert Lease(ProcessLease.Name.RELAY).renew()
    assert samples(client)["timba_lake_leader"] == 1
    lease.release()
    assert samples(client)["timba_lake_leader"] == 0


def test_without_the_database_the_rest_is_still_there(client: HttpClient) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("the server does not answer")

    samples(client)
    with connection.execute_wrapper(fail):
        found = samples(client)
    assert found["timba_database_up"] == 0
    assert not any(name.startswith("timba_files") for name in found)
    assert any(name.startswith("timba_requests_total") for name in found)
    assert found['timba_disk_free_bytes{disk="data"}'] > 0
