"""Health tells what stops Timba from what merely slows it, to anybody who asks."""

from __future__ import annotations

import socket
import threading
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
from timba import __version__, failpoints
from timba.api import health
from timba.api.models import HealthProbe
from timba.events.models import OutboxEvent

pytestmark = pytest.mark.usefixtures("health_forgets")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that is bound, so that nobody takes it, and does not listen."""
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
def test_a_process_that_serves_is_live(client: Browser, path: str) -> None:
    answer = client.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_only_configured_parts_are_listed(db: None, client: Browser, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": __version__,
        "checks": {"database": "ok", "storage": "ok", "sandbox": "ok"},
    }


def test_without_its_storage_timba_is_not_ready(
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
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "down",
        "version": __version__,
        "checks": {"database": "ok", "storage": "down", "sandbox": "ok"},
    }
    assert answer["Retry-After"] == "5"


@pytest.fixture
def database_elsewhere(
    django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> Iterator[None]:
    """Have the database looked for where there is none: an absent folder, or a closed port."""
    elsewhere: dict[str, Any] = {"PORT": closed_port}
    if connection.vendor == "sqlite":
        elsewhere = {"NAME": str(tmp_path / "none" / "db")}
    elif connection.vendor == "postgresql":
        pool = {**connection.settings_dict["OPTIONS"]["pool"], "timeout": 0.5}
        elsewhere["OPTIONS"] = {**connection.settings_dict["OPTIONS"], "pool": pool}
    with django_db_blocker.unblock():
        forget_connections()
        for name, value in elsewhere.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        yield
        forget_connections()


def forget_connections() -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()


def test_without_its_database_timba_is_live_but_not_ready(
    client: Browser, database_elsewhere: None
) -> None:
    ready, live = client.get("/health/ready"), client.get("/health/live")
    assert ready.status_code == 503
    assert ready.json()["checks"] == {"database": "down", "storage": "ok", "sandbox": "ok"}
    assert live.status_code == 200


def test_a_broker_and_a_kafka_that_are_away_degrade(
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
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
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
def test_events_that_wait_for_more_than_a_minute_degrade(
    db: None, client: Browser, settings: Any, seconds: int, status: str
) -> None:
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.MemoryPublisher"
    waiting_event(seconds)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == status


def test_events_that_nobody_delivers_are_history_and_wait_for_nothing(
    db: None, client: Browser
) -> None:
    waiting_event(90)
    assert client.get("/health/ready").json()["status"] == "ok"


def raise_in_the_database(error: Error) -> Callable[..., Any]:
    def give_up(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if HealthProbe._meta.db_table in sql:
            raise error
        return execute(sql, *arguments)

    return give_up


def test_a_full_disk_of_the_files_degrades(db: None, client: Browser) -> None:
    failpoints.arm("storage.written=enospc")
    try:
        answer = client.get("/health/ready")
    finally:
        failpoints.arm("")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"] == {"database": "ok", "storage": "full", "sandbox": "ok"}


def test_a_machine_that_lacks_a_protection_of_the_sandbox_degrades(
    db: None, client: Browser, lack: Lack
) -> None:
    lack("landlock")
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"] == {"database": "ok", "storage": "ok", "sandbox": "incomplete"}


@pytest.mark.parametrize(
    ("error", "status", "verdict"),
    [
        (failpoints.POINTS["outbox.numbered"]["enospc"], 200, "full"),
        (OperationalError(1114, "The table is full"), 200, "full"),
        (failpoints.POINTS["outbox.numbered"]["eio"], 503, "down"),
        (InterfaceError(0, ""), 503, "down"),
        (ProgrammingError(1146, "Table doesn't exist"), 503, "down"),
    ],
    ids=str,
)
def test_the_database_is_well_when_it_takes_a_write(
    db: None, client: Browser, error: Error, status: int, verdict: str
) -> None:
    with connection.execute_wrapper(raise_in_the_database(error)):
        answer = client.get("/health/ready")
    assert answer.status_code == status
    assert answer.json()["checks"] == {"database": verdict, "storage": "ok", "sandbox": "ok"}


def test_a_look_at_the_database_is_a_committed_write(db: None, client: Browser) -> None:
    before = timezone.now()
    client.get("/health/ready")
    assert HealthProbe.objects.get().written_at >= before


def test_everybody_may_ask_and_nobody_is_looked_for_at_every_request(
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
def test_a_server_that_is_silent_holds_one_caller_only(seen: health.CheckStatus) -> None:
    """Not at the first look either: a part that nobody has seen is down."""
    asked, answered = threading.Event(), threading.Event()
    verdicts: Iterator[health.CheckStatus] = iter(["ok", "late"] if seen == "ok" else ["late"])

    def look() -> health.CheckStatus:
        verdict = next(verdicts)
        if verdict == "late":
            asked.set()
            assert answered.wait(60)
        return verdict

    check = health.CachedCheck(look)
    if seen == "ok":
        assert check() == "ok"
    one = threading.Thread(target=check)
    one.start()
    try:
        assert asked.wait(60)
        assert check() == seen  # what was seen last, at once
    finally:
        answered.set()
        one.join()
    assert check._status == "late"


def test_health_takes_no_writes(client: Browser) -> None:
    answer = client.post("/health/live")
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"
