"""`timba consume`: prints a topic's events as JSON lines, each once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.errors import DomainError
from timba.events.consumer import Deduplicator, EventFilter, read_kafka, read_outbox
from timba.events.history import parse_position
from timba.serialization import dumps


class Command(BaseCommand):
    help = "Print the events of a topic as JSON lines, oldest first, each once."
    # Other checks load the URLs and views of the web server, which takes seconds.
    requires_system_checks = (Tags.security,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topic", help="for example note_events")
        parser.add_argument(
            "--after",
            type=parse_position,
            default=(None, 0),
            metavar="[EPOCH.]N",
            help="only numbers above N of each client; with the epoch in which you have read them, "
            "also the numbers that were used again after a restore from a backup",
        )
        parser.add_argument("--client", type=int, metavar="ID", help="only this client's events")
        parser.add_argument("--follow", action="store_true", help="wait for more, until Ctrl-C")
        parser.add_argument(
            "--source",
            choices=["outbox", "kafka"],
            default="kafka" if settings.KAFKA_BOOTSTRAP_SERVERS else "outbox",
            help="where to read: Kafka where it is configured, else the outbox",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["source"] == "kafka" and not settings.KAFKA_BOOTSTRAP_SERVERS:
            raise CommandError("No Kafka is configured: set KAFKA_BOOTSTRAP_SERVERS.")
        read = read_kafka if options["source"] == "kafka" else read_outbox
        event_filter = EventFilter(
            topic=options["topic"],
            epoch=options["after"][0],
            after=options["after"][1],
            client_id=options["client"],
            follow=options["follow"],
        )
        deduplicator = Deduplicator()
        try:
            for message in read(event_filter):
                event = deduplicator.accept(message)
                if event is not None:
                    self.stdout.write(dumps(asdict(event)).decode())
                    self.stdout.flush()
        except DomainError as error:
            raise CommandError(str(error)) from error
        except (KeyboardInterrupt, BrokenPipeError):
            return
