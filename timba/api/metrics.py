"""`/metrics` for Prometheus: what processes have counted, and what the database and disks say.

It needs no credentials, and tells what no client may know: only the addresses in
TIMBA_METRICS_ALLOW get it, and nobody through a proxy.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from threading import Lock
from typing import Final

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from rest_framework.request import Request

from timba import __version__
from timba.accounts.addresses import is_within, parse_networks
from timba.accounts.models import Subscription
from timba.api.health import PublicView
from timba.api.openapi import PROBLEM, PROBLEM_TYPE
from timba.api.problems import problem
from timba.db.errors import database_errors, log_outage
from timba.events.history import count_unpublished, oldest_unpublished_seconds
from timba.events.leases import is_held
from timba.events.models import ProcessLease
from timba.files.disk import disks
from timba.files.models import File
from timba.files.ocr import oldest_ocr_job
from timba.files.scheduling import QUEUES
from timba.metric_files import ProcessesCollector

# Queries over all files: with several Prometheus servers they are made no more often.
_CACHE_SECONDS: Final = 10.0
_FORWARDING_HEADERS: Final = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_")
_NOT_ALLOWED: Final = (
    "Metrics are only for the addresses in TIMBA_METRICS_ALLOW, and not through a proxy."
)


class DatabaseCollector:
    """What the database knows; while it is down, that alone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._metrics: list[Metric] = []
        self._expires_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if time.monotonic() >= self._expires_at:
                self._metrics = self._query()
                self._expires_at = time.monotonic() + _CACHE_SECONDS
            return self._metrics

    def _query(self) -> list[Metric]:
        up = GaugeMetricFamily("timba_database_up", "1 if the database answers, else 0.")
        try:
            metrics = [*_files(), *_events(), *_lake(), *_clients()]
        except database_errors() as error:
            log_outage(error)
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *metrics]


class DiskCollector:
    """The space of this machine's disks."""

    def collect(self) -> Iterable[Metric]:
        free = GaugeMetricFamily(
            "timba_disk_free_bytes", "Free bytes of the disk that holds this.", labels=["disk"]
        )
        kept = GaugeMetricFamily(
            "timba_disk_min_free_bytes",
            "Bytes of the same disk that uploads leave free.",
            labels=["disk"],
        )
        for name, disk in disks().items():
            free.add_metric([name], disk.free_bytes)
            kept.add_metric([name], disk.min_free_bytes)
        info = GaugeMetricFamily("timba_info", "The version of Timba.", labels=["version"])
        info.add_metric([__version__], 1)
        return [free, kept, info]


class MetricsView(PublicView):
    """`/metrics`."""

    @extend_schema(
        summary="Get the metrics for Prometheus",
        description="For the addresses in `TIMBA_METRICS_ALLOW` alone, and not through a proxy.",
        responses={
            (200, "text/plain"): OpenApiResponse(str, "The text format of Prometheus, 1.0.0."),
            (403, PROBLEM_TYPE): PROBLEM,
        },
        examples=[
            OpenApiExample(
                "Metrics",
                "timba_database_up 1.0\n",
                response_only=True,
                media_type="text/plain",
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        if not _is_allowed(request):
            return problem(HTTPStatus.FORBIDDEN, _NOT_ALLOWED)
        return HttpResponse(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)


def _is_allowed(request: Request) -> bool:
    """Whether the caller is a direct one that is allowed; headers could claim any other address."""
    if any(name.startswith(_FORWARDING_HEADERS) for name in request.META):
        return False
    return is_within(request.META["REMOTE_ADDR"], parse_networks(settings.TIMBA_METRICS_ALLOW))


def _files() -> Iterator[Metric]:
    accepted = File.unscoped.live()
    files = GaugeMetricFamily("timba_files", "Files that are not deleted.", labels=["status"])
    counts = dict(accepted.order_by().values_list("status").annotate(count=Count("pk")))
    for status in (File.Status.PENDING, File.Status.SUCCESS, File.Status.FAILURE):
        files.add_metric([status.value], counts.get(status, 0))
    yield files
    oldest = GaugeMetricFamily(
        "timba_oldest_pending_seconds",
        "Seconds for which the oldest PENDING file has waited, or 0.",
        labels=["queue"],
    )
    pending = accepted.filter(status=File.Status.PENDING).order_by().values_list("queue")
    # The time of the upload or of the last retry: claims and progress leave it as it is.
    since = dict(pending.annotate(since=Min("touched_at")))
    for queue in QUEUES:
        waiting = timezone.now() - since.get(queue, timezone.now())
        oldest.add_metric([queue], max(0.0, waiting.total_seconds()))
    yield oldest
    oldest = GaugeMetricFamily(
        "timba_oldest_ocr_seconds", "Seconds for which the oldest file has waited for OCR, or 0."
    )
    waiting = timezone.now() - (oldest_ocr_job() or timezone.now())
    oldest.add_metric([], max(0.0, waiting.total_seconds()))
    yield oldest


def _events() -> Iterator[Metric]:
    """Without a publisher, no event waits, and no relay is active."""
    if not settings.TIMBA_EVENT_PUBLISHER:
        return
    waiting = GaugeMetricFamily("timba_events_waiting", "Events that are not published yet.")
    waiting.add_metric([], count_unpublished())
    yield waiting
    oldest = GaugeMetricFamily(
        "timba_oldest_event_seconds", "Seconds for which the oldest of them has waited, or 0."
    )
    oldest.add_metric([], oldest_unpublished_seconds() or 0.0)
    yield oldest
    leader = GaugeMetricFamily("timba_relay_leader", "1 if a relay holds the lease, else 0.")
    leader.add_metric([], int(is_held(ProcessLease.Name.RELAY)))
    yield leader


def _lake() -> Iterator[Metric]:
    """A lease is never deleted, so where no `timba lake` has run there is none."""
    if ProcessLease.objects.filter(name=ProcessLease.Name.LAKE).exists():
        leader = GaugeMetricFamily(
            "timba_lake_leader", "1 if a process keeps the lake up to date, else 0."
        )
        leader.add_metric([], int(is_held(ProcessLease.Name.LAKE)))
        yield leader


def _clients() -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "timba_client_used_bytes", "Bytes of a client's files.", labels=["client_id"]
    )
    quota = GaugeMetricFamily(
        "timba_client_quota_bytes", "Quota of a client that has one.", labels=["client_id"]
    )
    rows = Subscription.objects.order_by("client_id")
    for client_id, used_bytes, quota_bytes in rows.values_list(
        "client_id", "used_bytes", "quota_bytes"
    ):
        used.add_metric([str(client_id)], used_bytes)
        if quota_bytes is not None:
            quota.add_metric([str(client_id)], quota_bytes)
    yield used
    yield quota


_database: Final = DatabaseCollector()
_registry: Final = CollectorRegistry()
for _collector in (ProcessesCollector(), _database, DiskCollector()):
    _registry.register(_collector)
