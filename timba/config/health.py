"""Tells monitors and load balancers how this process and the parts it stands on are.

Only what Timba cannot do without turns it away from traffic. A broker or Kafka that is away
costs time, never work, so that is merely `degraded`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock
from typing import Final, Literal, TypedDict

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from drf_spectacular.utils import extend_schema
from kombu.exceptions import OperationalError as BrokerAway
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import Client
from timba.api.schema import shape
from timba.config.celery import app as celery
from timba.events.history import oldest_waiting_seconds
from timba.files.storage import store

Verdict = Literal["ok", "down", "late"]

_NEEDED: Final = ("database", "storage")
_LATE_SECONDS: Final = 60
_PATIENCE_SECONDS: Final = 2
# Other servers are asked at most this often: everybody may ask Timba, and a look may take a while.
_REMEMBERED_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 5
_log = logging.getLogger(__name__)


class Live(TypedDict):
    """A process that serves."""

    status: Literal["ok"]


class Ready(TypedDict):
    """How all is, and each part that is configured."""

    status: Literal["ok", "degraded", "down"]
    checks: dict[str, Verdict]


class OpenDoor(APIView):
    """A door that asks nobody who they are."""

    authentication_classes = ()
    permission_classes = ()


class LiveDoor(OpenDoor):
    """`/health/live`: whether the process serves."""

    @extend_schema(responses={200: shape(Live)})
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        return Response({"status": "ok"})


class ReadyDoor(OpenDoor):
    """`/health/ready`: whether traffic is welcome here."""

    @extend_schema(responses={200: shape(Ready), 503: shape(Ready)})
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        checks = {name: look() for name, look in _parts().items()}
        if any(checks[name] != "ok" for name in _NEEDED):
            return Response(
                {"status": "down", "checks": checks},
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        well = all(verdict == "ok" for verdict in checks.values())
        return Response({"status": "ok" if well else "degraded", "checks": checks})


def _parts() -> dict[str, Callable[[], Verdict]]:
    """Return how to look at each part that is configured."""
    parts: dict[str, Callable[[], Verdict]] = {"database": _database, "storage": _storage}
    if settings.BROKER_URL:
        parts["broker"] = _broker
    if settings.KAFKA_BOOTSTRAP_SERVERS:
        parts["kafka"] = _kafka
    if settings.TIMBA_EVENT_PUBLISHER:
        parts["events"] = _events
    return parts


def _database() -> Verdict:
    try:
        Client.unscoped.exists()
    except DatabaseError:
        _log.exception("the database does not answer")
        return "down"
    return "ok"


def _ask_storage() -> Verdict:
    try:
        store().check()
    except (OSError, ImproperlyConfigured):
        _log.exception("the storage does not take files")
        return "down"
    return "ok"


def _ask_broker() -> Verdict:
    try:
        with celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=_PATIENCE_SECONDS)
    except (BrokerAway, OSError):
        return "down"
    return "ok"


def _ask_kafka() -> Verdict:
    asker = AdminClient({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS}, logger=_log)
    try:
        asker.list_topics(timeout=_PATIENCE_SECONDS)
    except KafkaException:
        return "down"
    return "ok"


class _Remembered:
    """A look that is taken again only after a while, and by one caller at a time.

    Meanwhile all others are told what was seen last: a silent server must not hold their threads.
    """

    def __init__(self, look: Callable[[], Verdict]) -> None:
        self._look = look
        self._lock = Lock()
        self._verdict: Verdict | None = None
        self._until = -math.inf

    def __call__(self) -> Verdict:
        seen = self._verdict
        is_mine = self._lock.acquire(blocking=seen is None)
        if seen is not None and not is_mine:
            return seen
        try:
            if self._verdict is None or time.monotonic() >= self._until:
                self._verdict = self._look()
                self._until = time.monotonic() + _REMEMBERED_SECONDS
            return self._verdict
        finally:
            self._lock.release()


_storage = _Remembered(_ask_storage)
_broker = _Remembered(_ask_broker)
_kafka = _Remembered(_ask_kafka)


def _events() -> Verdict:
    try:
        waiting = oldest_waiting_seconds()
    except DatabaseError:
        return "down"
    return "late" if waiting is not None and waiting > _LATE_SECONDS else "ok"
