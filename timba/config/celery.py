"""The Celery application, used only if BROKER_URL is set."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")

app = Celery("timba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# By name, because it must not be imported before Django is set up.
app.steps["worker"].add("timba.runtime.watchdog.Watchdog")


@setup_logging.connect
def keep_logging_settings(**_: Any) -> None:
    """Do nothing: a receiver of this signal keeps Celery from configuring logging itself."""
