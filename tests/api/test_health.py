"""Liveness and readiness: what makes Timba unavailable, and what only degrades it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conftest import Lack
from tests.threads import at_once
from timba import __version__, failpoints
from timba.api import health
from timba.api.models import HealthProbe
from timba.db import server_connections
from timba.events.models import OutboxEvent

pytestmark = pytest.mark.usefixtures("health_forgets")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that is bound but does not listen."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def waiting_event(seconds: int) -> None:
    OutboxEvent.objects.create(
        client_id=1,
        epoch=1,
        sequence=1,
        topic="note_events",
        key="1",
        type="timba.note.created",
        source="/clients/1/notes",
        time=timezone.now() - timedelta(seconds=seconds),
        value="{}",
    )


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
def test_serving_process_is_live(client: Browser, path: str) -> None:
    response = client.get(path, headers={"accept": "text/html"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_only_configured_parts_are_listed(db: None, client: Browser, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "version": __version__,
        "checks": {"database": "ok", "storage": "ok", "sandbox": "ok"},
    }


@pytest.mark.parametrize(
    ("path", "status"), [("/health/live", 200), ("/health/ready", 200), ("/api/notes/", 400)]
)
@pytest.mark.parametrize("name", ["SERVER_NAME", "HTTP_HOST"], ids=["no host", "another host"])
def test_only_health_checks_may_name_any_host_or_none(
    db: None, client: Browser, name: str, path: str, status: int
) -> None:
    assert client.get(path, **{name: "10.0.0.7"}).status_code == status


def test_not_ready_without_storage(
    db: None, client: Browser, settings: Any, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "files"
    in_the_way.write_text("a file where the folder should be")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "timba.files.storage.LocalStorage",
            "OPTIONS": {"location": in_the_way},
        },
    }
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "down",
        "version": __version__,
        "checks": {"database": "ok", "storage": "down", "sandbox": "ok"},
    }
    assert response["Retry-After"] == "5"


@pytest.fixture
def database_elsewhere(
    django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> Iterator[None]:
    """Point the database settings to an absent folder or a closed port."""
    elsewhere: dict[str, Any] = {"PORT": closed_port}
    if connection.vendor == "sqlite":
        elsewhere = {"NAME": str(tmp_path / "none" / "db")}
    monkeypatch.setattr(server_connections, "CONNECT_SECONDS", 0.5)
    with django_db_blocker.unblock():
        connection.close()
        for name, value in elsewhere.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        yield
        connection.close()


def test_live_but_not_ready_without_database(client: Browser, database_elsewhere: None) -> None:
    ready, live = client.get("/health/ready"), client.get("/health/live")
    assert ready.status_code == 503
    assert ready.json()["checks"] == {"database": "down", "storage": "ok", "sandbox": "ok"}
    assert live.status_code == 200


def test_unavailable_broker_and_kafka_are_degraded(
    db: None,
    client: Browser,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
) -> None:
    settings.BROKER_URL = f"redis://127.0.0.1:{closed_port}/0"
    monkeypatch.setattr(health.current_app.conf, "broker_url", settings.BROKER_URL)
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{closed_port}"
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "version": __version__,
        "checks": {
            "database": "ok",
            "storage": "ok",
            "sandbox": "ok",
            "broker": "down",
            "kafka": "down",
            "events": "ok",
        },
    }


@pytest.mark.parametrize(("seconds", "status"), [(30, "ok"), (90, "degraded")])
def test_events_undelivered_for_over_a_minute_are_degraded(
    db: None, client: Browser, settings: Any, seconds: int, status: str
) -> None:
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.MemoryPublisher"
    waiting_event(seconds)
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == status


def test_events_without_a_publisher_are_not_late(db: None, client: Browser) -> None:
    waiting_event(90)
    assert client.get("/health/ready").json()["status"] == "ok"


def raise_in_the_database(error: Error) -> Callable[..., Any]:
    def give_up(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if HealthProbe._meta.db_table in sql:
            raise error
        return execute(sql, *arguments)

    return give_up


def test_full_disk_of_the_storage_is_degraded(db: None, client: Browser) -> None:
    failpoints.arm("storage.written=enospc")
    try:
        response = client.get("/health/ready")
    finally:
        failpoints.arm("")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"] == {"database": "ok", "storage": "full", "sandbox": "ok"}


def test_missing_sandbox_protection_is_degraded(db: None, client: Browser, lack: Lack) -> None:
    lack("landlock")
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"] == {"database": "ok", "storage": "ok", "sandbox": "incomplete"}


@pytest.mark.parametrize(
    ("error", "status", "check_status"),
    [
        (failpoints.POINTS["outbox.numbered"]["enospc"], 200, "full"),
        (OperationalError(1114, "The table is full"), 200, "full"),
        (failpoints.POINTS["outbox.numbered"]["eio"], 503, "down"),
        (InterfaceError(0, ""), 503, "down"),
        (ProgrammingError(1146, "Table doesn't exist"), 503, "down"),
    ],
    ids=str,
)
def test_database_is_ok_when_it_accepts_a_write(
    db: None, client: Browser, error: Error, status: int, check_status: str
) -> None:
    with connection.execute_wrapper(raise_in_the_database(error)):
        response = client.get("/health/ready")
    assert response.status_code == status
    assert response.json()["checks"] == {"database": check_status, "storage": "ok", "sandbox": "ok"}


def test_database_check_commits_a_write(db: None, client: Browser) -> None:
    before = timezone.now()
    client.get("/health/ready")
    assert HealthProbe.objects.get().written_at >= before


def test_anonymous_requests_share_cached_checks(
    db: None, client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_CACHE_SECONDS", 60.0)
    assert client.get("/health/ready").json()["status"] == "ok"
    failpoints.arm("storage.written=enospc")
    try:
        with CaptureQueriesContext(connection) as queries:
            assert [client.get("/health/ready").json()["status"] for _ in range(9)] == ["ok"] * 9
    finally:
        failpoints.arm("")
    assert len(queries) == 0


@pytest.mark.parametrize("seen", ["ok", "down"])
def test_unresponsive_server_blocks_one_thread_only(seen: health.CheckStatus) -> None:
    """A part that was never checked is down."""
    asked, answered = threading.Event(), threading.Event()
    statuses: Iterator[health.CheckStatus] = iter(["ok", "late"] if seen == "ok" else ["late"])

    def probe() -> health.CheckStatus:
        check_status = next(statuses)
        if check_status == "late":
            asked.set()
            assert answered.wait(60)
        return check_status

    check = health.CachedCheck(probe)
    if seen == "ok":
        assert check() == "ok"
    one = threading.Thread(target=check)
    one.start()
    try:
        assert asked.wait(60)
        assert check() == seen  # the last status
    finally:
        answered.set()
        one.join()
    assert check._status == "late"


def test_first_callers_wait_for_the_first_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a server that starts would be reported as down, which it never was."""
    monkeypatch.setattr(health, "_TIMEOUT_SECONDS", 60)
    monkeypatch.setattr(health, "_CACHE_SECONDS", 60)
    statuses: Iterator[health.CheckStatus] = iter(["ok"])

    def probe() -> health.CheckStatus:
        time.sleep(0.2)
        return next(statuses)

    check = health.CachedCheck(probe)
    assert at_once(3, lambda _: check()) == ["ok"] * 3


@pytest.mark.parametrize("part", ["broker", "kafka"])
def test_a_part_that_only_degrades_is_not_waited_for(
    part: str, db: None, client: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookup of its name may hang, which no timeout of its client ends."""
    settings.BROKER_URL = "redis://broker.test:1/0" if part == "broker" else ""
    settings.KAFKA_BOOTSTRAP_SERVERS = "kafka.test:1" if part == "kafka" else ""
    monkeypatch.setattr(health, "_LIMIT_SECONDS", 0.1)
    answered, ended = threading.Event(), threading.Event()

    def hang(*_args: object, **_options: object) -> None:
        answered.wait(60)
        ended.set()

    try:
        with monkeypatch.context() as patch:
            patch.setattr(health.AdminClient, "list_topics", hang)
            patch.setattr(health.current_app, "connection_for_write", hang)
            response = client.get("/health/ready")
        assert (response.status_code, response.json()["checks"][part]) == (200, "down")
        assert not ended.is_set()
    finally:
        answered.set()


def test_health_endpoints_allow_reads_only(client: Browser) -> None:
    response = client.post("/health/live")
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
