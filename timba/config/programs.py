"""The programs that make up a running Timba: the web server, what processes files, the relay."""

from __future__ import annotations

import sys

from django.conf import settings

from timba.config.env import BASE_DIR
from timba.config.supervisor import Program
from timba.files.catalogue import processors


def programs() -> list[Program]:
    """Return what runs on this machine; with a broker, Celery takes the worker's place."""
    manage = (sys.executable, str(BASE_DIR / "manage.py"))
    relay = Program(name="relay", command=(*manage, "relay"))
    if settings.BROKER_URL:
        return [_web(), *_celery(), relay]
    return [_web(), Program(name="worker", command=(*manage, "work")), relay]


def _web() -> Program:
    return Program(
        name="web",
        command=(
            sys.executable,
            "-m",
            "granian",
            "--interface=wsgi",
            f"--host={settings.TIMBA_HOST}",
            f"--port={settings.TIMBA_PORT}",
            f"--workers={settings.TIMBA_WEB_WORKERS}",
            f"--blocking-threads={settings.TIMBA_WEB_THREADS}",
            "--workers-kill-timeout=2",
            "--respawn-failed-workers",
            "--no-ws",
            # Its warnings are about the number of threads, which is meant: they wait for disks.
            "--log-level=error",
            f"--working-dir={BASE_DIR}",
            "timba.config.wsgi:application",
        ),
    )


def _celery() -> list[Program]:
    celery = (
        *(sys.executable, "-m", "celery", "--quiet"),
        *("--app=timba.config", f"--workdir={BASE_DIR}"),
    )
    return [
        *(
            Program(
                name=f"{queue} worker",
                command=(
                    *celery,
                    "worker",
                    f"--queues={queue}",
                    f"--hostname={queue}@%h",
                    f"--concurrency={settings.TIMBA_WORKER_THREADS}",
                    "--without-gossip",
                    "--without-mingle",
                ),
            )
            for queue in sorted({processor.queue for processor in processors().values()})
        ),
        # No pidfile: one left by a crash would keep the next beat from starting.
        Program(name="beat", command=(*celery, "beat", "--pidfile=")),
    ]
