"""Tells monitors and load balancers how this process and the parts it stands on are.

Only what Timba cannot do without turns it away from traffic. A broker or Kafka that is away
costs time, never work, a full disk leaves all that is stored readable, and files are read with
one protection less: that is `degraded`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from threading import Lock
from typing import Annotated, Final, Literal, TypedDict

from celery import current_app
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba import __version__
from timba.api.models import HealthProbe
from timba.api.openapi import schema_of
from timba.db.outages import is_disk_full, log_outage
from timba.events.history import oldest_unpublished_seconds
from timba.files.protections import missing_protections
from timba.files.storage import store

CheckStatus = Literal["ok", "down", "full", "incomplete", "late"]

_REQUIRED: Final = ("database", "storage")
_LATE_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 2
# A look writes, or may take a while, and everybody may ask Timba.
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
        "degraded: some part is not ok; down: a required one.",
        "ok",
    ]
    version: Annotated[str, "Version of Timba.", __version__]
    checks: Annotated[
        dict[str, CheckStatus], "State of each part.", {"database": "ok", "storage": "ok"}
    ]


class PublicView(APIView):
    """A door that asks nobody who they are."""

    authentication_classes = ()
    permission_classes = ()


class LivenessView(PublicView):
    """`/health/live`: whether the process serves."""

    @extend_schema(
        summary="Check that the process serves", responses={200: schema_of(LivenessSchema)}
    )
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        return Response({"status": "ok"})


class ReadinessView(PublicView):
    """`/health/ready`: whether traffic is welcome here."""

    @extend_schema(
        summary="Check that Timba is ready for traffic",
        description="503 when the database or the file storage is down.",
        responses={200: schema_of(ReadinessSchema), 503: schema_of(ReadinessSchema)},
    )
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        verdicts = {name: check() for name, check in CHECKS.items() if _is_configured(name)}
        if any(verdicts[name] == "down" for name in _REQUIRED):
            return Response(
                _ready("down", verdicts),
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        well = all(verdict == "ok" for verdict in verdicts.values())
        return Response(_ready("ok" if well else "degraded", verdicts))


class CachedCheck:
    """A look at one part: at most every few seconds, and by one caller at a time.

    Meanwhile all others are told what was seen last: a silent server must not hold their threads.
    Whatever the look raises, the part is down, or full.
    """

    def __init__(self, look: Callable[[], CheckStatus]) -> None:
        self._look = look
        self._lock = Lock()
        self._verdict: CheckStatus = "down"
        self._until = -math.inf

    def __call__(self) -> CheckStatus:
        if time.monotonic() >= self._until and self._lock.acquire(blocking=False):
            try:
                self._verdict = self._take()
                self._until = time.monotonic() + _CACHE_SECONDS
            finally:
                self._lock.release()
        return self._verdict

    def _take(self) -> CheckStatus:
        try:
            return self._look()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the answer is that it is so
            log_outage(problem)
            return "full" if is_disk_full(problem) else "down"


def _ready(
    status: Literal["ok", "degraded", "down"], verdicts: dict[str, CheckStatus]
) -> ReadinessSchema:
    return {"status": status, "version": __version__, "checks": verdicts}


def _is_configured(name: str) -> bool:
    """Whether there is such a part here: the other ones are not listed."""
    needs = {
        "broker": settings.BROKER_URL,
        "kafka": settings.KAFKA_BOOTSTRAP_SERVERS,
        "events": settings.TIMBA_EVENT_PUBLISHER,
    }
    return bool(needs.get(name, True))


def _database() -> CheckStatus:
    HealthProbe.objects.update_or_create(pk=1, defaults={"written_at": timezone.now()})
    return "ok"


def _storage() -> CheckStatus:
    store().check()
    return "ok"


def _sandbox() -> CheckStatus:
    return "incomplete" if missing_protections() else "ok"


def _broker() -> CheckStatus:
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=_TIMEOUT_SECONDS)
    return "ok"


def _kafka() -> CheckStatus:
    asker = AdminClient({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS}, logger=_log)
    asker.list_topics(timeout=_TIMEOUT_SECONDS)
    return "ok"


def _events() -> CheckStatus:
    waiting = oldest_unpublished_seconds()
    return "late" if waiting is not None and waiting > _LATE_SECONDS else "ok"


CHECKS: Final[Mapping[str, CachedCheck]] = {
    "database": CachedCheck(_database),
    "storage": CachedCheck(_storage),
    "sandbox": CachedCheck(_sandbox),
    "broker": CachedCheck(_broker),
    "kafka": CachedCheck(_kafka),
    "events": CachedCheck(_events),
}
