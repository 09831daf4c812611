"""`timba relay`: publishes the events of the outbox to Kafka until it is stopped."""

from __future__ import annotations

import signal
from typing import Any

import structlog
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from timba.db.newer_migrations import refuse_newer_database
from timba.events.publishers import open_publisher
from timba.events.relay import Relay

_log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Publish the events of the outbox to Kafka until SIGTERM or Ctrl-C."
    # Other checks load the URLs and views of the web server, which takes seconds.
    requires_system_checks = (Tags.security,)

    def handle(self, *_args: Any, **_options: Any) -> None:
        refuse_newer_database()
        relay = Relay(open_publisher=open_publisher)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stop())
        if settings.TIMBA_EVENT_PUBLISHER:
            _log.info("the relay is running")
        else:
            _log.info("no broker is configured: events stay in the outbox, as the history")
        relay.run()
