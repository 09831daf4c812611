"""Liveness and readiness checks for monitors and load balancers.

Only a failure of the database or the file storage, or its shutdown, makes a process not ready. An
unavailable broker or Kafka delays work but loses none, a full disk leaves everything readable, and
an incomplete sandbox still reads files: all of these are `degraded`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from http import HTTPStatus
from threading import Lock, Thread
from typing import Annotated, Any, Final, Literal, TypedDict

from celery import current_app
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba import __version__
from timba.api.http import JSONResponse
from timba.api.models import HealthProbe
from timba.api.openapi import schema_of
from timba.db.errors import is_disk_full, log_outage
from timba.draining import is_draining
from timba.events.history import oldest_unpublished_seconds
from timba.files.disk import check_disk_space
from timba.files.protections import missing_protections
from timba.files.storage import store

CheckStatus = Literal["ok", "down", "full", "incomplete", "late", "stopping"]

_REQUIRED: Final = ("database", "storage")
# Events that wait longer than this for their delivery are reported as late.
_LATE_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 2
# Of the parts that only degrade: load balancers give up after a few seconds.
_LIMIT_SECONDS: Final = 1.5
# Checks write or are slow, and anyone may request them.
_CACHE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 5
_log = logging.getLogger(__name__)


class LivenessSchema(TypedDict):
    """A process that serves."""

    status: Annotated[Literal["ok"], "Always ok.", "ok"]


class ReadinessSchema(TypedDict):
    """The state of this process and of each part that is configured."""

    status: Annotated[
        Literal["ok", "degraded", "down"],
        "degraded: some part is not ok; down: the database or the file storage is, or the server "
        "is stopping.",
        "ok",
    ]
    version: Annotated[str, "Version of Timba.", __version__]
    checks: Annotated[
        dict[str, CheckStatus],
        "State of each part: ok, down, full, incomplete or late; `server` is there only while it "
        "is stopping.",
        {"database": "ok", "storage": "ok"},
    ]


class PublicView(APIView):
    """A view that needs no authentication."""

    authentication_classes = ()
    permission_classes = ()


class LivenessView(PublicView):
    """`/health/live`: whether the process serves."""

    @extend_schema(
        summary="Check that the process serves", responses={200: schema_of(LivenessSchema)}
    )
    def get(self, request: HttpRequest) -> JSONResponse:  # noqa: ARG002 - a view's signature
        return JSONResponse({"status": "ok"})

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Asked every second, by every monitor: most of its time would be DRF's.
        if request.method in {"GET", "HEAD"}:
            return self.get(request)
        return super().dispatch(request, *args, **kwargs)


class ReadinessView(PublicView):
    """`/health/ready`: whether the process can take traffic."""

    @extend_schema(
        summary="Check that Timba is ready for traffic",
        description="503 when the database or the file storage is down, or the server is stopping: "
        "it serves on for some seconds.",
        responses={200: schema_of(ReadinessSchema), 503: schema_of(ReadinessSchema)},
        examples=[
            OpenApiExample(
                "Down",
                {"status": "down", "version": __version__, "checks": {"database": "down"}},
                response_only=True,
                status_codes=["503"],
            )
        ],
    )
    def get(self, request: Request) -> JSONResponse:  # noqa: ARG002 - DRF's signature
        statuses: dict[str, CheckStatus] = {
            name: check() for name, check in CHECKS.items() if _is_configured(name)
        }
        if is_draining():
            statuses["server"] = "stopping"
        if "server" in statuses or any(statuses[name] == "down" for name in _REQUIRED):
            return JSONResponse(
                _readiness("down", statuses),
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        all_ok = all(status == "ok" for status in statuses.values())
        return JSONResponse(_readiness("ok" if all_ok else "degraded", statuses))


class CachedCheck:
    """Checks one part at most every `_CACHE_SECONDS`, in one thread at a time.

    Meanwhile other threads get the last status: a server that does not respond must not block them.
    Only while there is none yet do they wait, for `_TIMEOUT_SECONDS` at most; then it is `down`. A
    probe that raises means `down` too, or `full` where the disk is full.
    """

    def __init__(self, probe: Callable[[], CheckStatus]) -> None:
        self._probe = probe
        self._lock = Lock()
        self._status: CheckStatus = "down"
        self._expires_at = -math.inf

    def __call__(self) -> CheckStatus:
        patience = 0 if self._has_run else _TIMEOUT_SECONDS
        if self._is_due and self._lock.acquire(timeout=patience):
            try:
                if self._is_due:
                    self._status = self._run()
                    self._expires_at = time.monotonic() + _CACHE_SECONDS
            finally:
                self._lock.release()
        return self._status

    @property
    def _has_run(self) -> bool:
        return self._expires_at > -math.inf

    @property
    def _is_due(self) -> bool:
        return time.monotonic() >= self._expires_at

    def _run(self) -> CheckStatus:
        try:
            return self._probe()
        except Exception as error:  # noqa: BLE001 - any failure is a status, not a crash
            log_outage(error)
            return "full" if is_disk_full(error) else "down"


def _readiness(
    status: Literal["ok", "degraded", "down"], statuses: dict[str, CheckStatus]
) -> ReadinessSchema:
    return {"status": status, "version": __version__, "checks": statuses}


def _is_configured(name: str) -> bool:
    """Whether this installation has the part; the response lists no others."""
    part_settings = {
        "broker": settings.BROKER_URL,
        "kafka": settings.KAFKA_BOOTSTRAP_SERVERS,
        "events": settings.TIMBA_EVENT_PUBLISHER,
    }
    return bool(part_settings.get(name, True))


def _database() -> CheckStatus:
    HealthProbe.objects.update_or_create(pk=1, defaults={"written_at": timezone.now()})
    return "ok"


def _storage() -> CheckStatus:
    store().check()
    check_disk_space()
    return "ok"


def _sandbox() -> CheckStatus:
    return "incomplete" if missing_protections() else "ok"


def _within_limit(probe: Callable[[], CheckStatus]) -> Callable[[], CheckStatus]:
    """Return a probe that raises TimeoutError after `_LIMIT_SECONDS`.

    A client's own timeout does not include looking up a name, which may take half a minute.
    """

    def limited_probe() -> CheckStatus:
        outcome: Future[CheckStatus] = Future()

        def run() -> None:
            try:
                outcome.set_result(probe())
            except Exception as error:  # noqa: BLE001 - it is raised by the other thread
                outcome.set_exception(error)

        Thread(target=run, daemon=True).start()
        if not wait([outcome], _LIMIT_SECONDS).done:
            raise TimeoutError(f"It did not answer within {_LIMIT_SECONDS:g} s.")
        return outcome.result()

    return limited_probe


def _broker() -> CheckStatus:
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=_TIMEOUT_SECONDS)
    return "ok"


def _kafka() -> CheckStatus:
    admin = AdminClient({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS}, logger=_log)
    admin.list_topics(timeout=_TIMEOUT_SECONDS)
    return "ok"


def _events() -> CheckStatus:
    waiting = oldest_unpublished_seconds()
    return "late" if waiting is not None and waiting > _LATE_SECONDS else "ok"


CHECKS: Final[Mapping[str, CachedCheck]] = {
    "database": CachedCheck(_database),
    "storage": CachedCheck(_storage),
    "sandbox": CachedCheck(_sandbox),
    "broker": CachedCheck(_within_limit(_broker)),
    "kafka": CachedCheck(_within_limit(_kafka)),
    "events": CachedCheck(_events),
}
