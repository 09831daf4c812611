"""The Celery application: used only where BROKER_URL names a broker."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")

app = Celery("timba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# By its name: it must not be imported before Django is set up.
app.steps["worker"].add("timba.runtime.watchdog.Watchdog")


@setup_logging.connect
def leave_logging_alone(**_: Any) -> None:
    """Do nothing: where this is connected, Celery keeps what the settings say of logs."""
