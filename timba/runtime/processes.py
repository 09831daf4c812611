"""The processes of an installation: the web server, the workers, the relay and OCR."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Final

from django.conf import settings
from django.core.management import CommandError

from timba.files.ocr import why_ocr_is_off
from timba.files.processors.base import BULK, FAST
from timba.installation import IMPORT_PATH
from timba.runtime.supervisor import ProcessSpec

WEB: Final = "web"
# Without -P, Python would import modules from the folder in which Timba was started.
_PYTHON: Final = (sys.executable, "-P", "-m")
# Of each web worker. A connection that sends no headers in time is closed.
_CONNECTIONS: Final = 2048
_HEADER_SECONDS: Final = 10
# Of each connection. Uploads are a little faster with more, which callers may fill with headers.
_BUFFER_BYTES: Final = 128 * 1024


def processes(*, only: Collection[str] = ()) -> list[ProcessSpec]:
    """Return all processes of an installation, or `only` those with these names.

    Raises CommandError for a name that this installation does not have.
    """
    specs = _all_processes()
    names = [spec.name for spec in specs]
    for name in only:
        if name not in names:
            condition = "With" if settings.BROKER_URL else "Without"
            raise CommandError(
                f"There is no process “{name}”. {condition} BROKER_URL, the processes are: "
                f"{', '.join(names)}."
            )
    return [spec for spec in specs if spec.name in (only or names)]


def _all_processes() -> list[ProcessSpec]:
    """With a broker, Celery's workers and beat replace the embedded worker."""
    timba = (*_PYTHON, "timba")
    others = [ProcessSpec(name="relay", command=(*timba, "relay"))]
    if not why_ocr_is_off():
        others.append(ProcessSpec(name="ocr", command=(*timba, "ocr")))
    if settings.BROKER_URL:
        return [_web(), *_celery(), *others]
    return [_web(), ProcessSpec(name="worker", command=(*timba, "work")), *others]


def _web() -> ProcessSpec:
    return ProcessSpec(
        name=WEB,
        drains=True,
        command=(
            *_PYTHON,
            "granian",
            "--interface=asgi",
            "--loop=uvloop",
            # Under HTTP/2 many requests share a connection and its limits; and with HTTP/2 enabled
            # granian does not apply the header timeout to connections that send nothing.
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
            *_tls(),
            "--no-ws",
            "--log-level=error",
            # By its path: a name would be looked for in the current folder first.
            f"--working-dir={IMPORT_PATH}",
            f"{IMPORT_PATH / 'timba/config/asgi.py'}:application",
        ),
    )


def _tls() -> tuple[str, ...]:
    if not settings.TIMBA_TLS_CERT:
        return ()
    return (
        f"--ssl-certificate={settings.TIMBA_TLS_CERT}",
        f"--ssl-keyfile={settings.TIMBA_TLS_KEY}",
        "--ssl-protocol-min=tls1.2",
    )


def _celery() -> list[ProcessSpec]:
    celery = (
        *(*_PYTHON, "celery", "--quiet"),
        *("--app=timba.config", f"--workdir={IMPORT_PATH}"),
    )
    threads = settings.TIMBA_WORKER_THREADS
    return [
        *(
            ProcessSpec(
                name=queue,
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
            # One more for quick files: the last idle child is reserved for other clients.
            for queue, children in ((BULK, threads), (FAST, threads + 1))
        ),
        # No pidfile, because one left by a crash would prevent the next start.
        ProcessSpec(name="beat", command=(*celery, "beat", "--pidfile=")),
    ]
