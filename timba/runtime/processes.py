"""The programs that make up a running Timba: the web server, what processes files, the relay."""

from __future__ import annotations

import sys
from typing import Final

from django.conf import settings

from timba.files.processors.base import BULK, FAST
from timba.runtime.supervisor import ProcessSpec

# Of each worker of the web server; one that sends no headers in time makes room for another.
_CONNECTIONS: Final = 2048
_HEADER_SECONDS: Final = 10
# Of each connection; more makes nothing faster.
_BUFFER_BYTES: Final = 64 * 1024


def processes() -> list[ProcessSpec]:
    """Return what runs on this machine; with a broker, Celery takes the worker's place."""
    manage = (sys.executable, str(settings.BASE_DIR / "manage.py"))
    relay = ProcessSpec(name="relay", command=(*manage, "relay"))
    if settings.BROKER_URL:
        return [_web(), *_celery(), relay]
    return [_web(), ProcessSpec(name="worker", command=(*manage, "work")), relay]


def _web() -> ProcessSpec:
    return ProcessSpec(
        name="web",
        command=(
            sys.executable,
            "-m",
            "granian",
            "--interface=asgi",
            "--loop=uvloop",
            # Under HTTP/2 many requests share a connection, whose limits are not its callers' own;
            # and without it a connection that sends nothing is closed after the headers' time.
            "--http=1",
            f"--http1-header-read-timeout={_HEADER_SECONDS * 1000}",
            f"--http1-buffer-size={_BUFFER_BYTES}",
            f"--backpressure={_CONNECTIONS}",
            f"--backlog={_CONNECTIONS}",
            f"--host={settings.TIMBA_HOST}",
            f"--port={settings.TIMBA_PORT}",
            f"--workers={settings.TIMBA_WEB_WORKERS}",
            "--workers-kill-timeout=2",
            "--respawn-failed-workers",
            "--no-ws",
            "--log-level=error",
            f"--working-dir={settings.BASE_DIR}",
            "timba.config.asgi:application",
        ),
    )


def _celery() -> list[ProcessSpec]:
    celery = (
        *(sys.executable, "-m", "celery", "--quiet"),
        *("--app=timba.config", f"--workdir={settings.BASE_DIR}"),
    )
    at_once = settings.TIMBA_WORKER_THREADS
    return [
        *(
            ProcessSpec(
                name=f"{queue} worker",
                command=(
                    *celery,
                    "worker",
                    f"--queues={queue}",
                    f"--hostname={queue}@%h",
                    f"--concurrency={children}",
                    "--without-gossip",
                    "--without-mingle",
                ),
            )
            # One more for quick files: the last free one is kept for the other clients.
            for queue, children in ((BULK, at_once), (FAST, at_once + 1))
        ),
        # No pidfile: one left by a crash would keep the next beat from starting.
        ProcessSpec(name="beat", command=(*celery, "beat", "--pidfile=")),
    ]
