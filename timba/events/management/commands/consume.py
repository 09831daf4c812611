"""`manage.py consume`: prints a topic's events as JSON lines, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from timba.errors import DomainError
from timba.events.consumer import FirstOccurrences
from timba.events.messages import Message
from timba.events.sources import messages_in_kafka, messages_in_outbox
from timba.wire import dumps


class Command(BaseCommand):
    help = "Print the events of a topic as JSON lines, oldest first, each once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topic", help="for example note_events")
        parser.add_argument(
            "--after", type=int, default=0, metavar="N", help="only numbers above N of each client"
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
        seen = FirstOccurrences()
        try:
            for message in _messages(options):
                event = seen.take(message)
                if event is None or event.sequence <= options["after"]:
                    continue
                if options["client"] in (None, event.client_id):
                    self.stdout.write(dumps(asdict(event)).decode())
                    self.stdout.flush()
        except DomainError as error:
            raise CommandError(str(error)) from error
        except (KeyboardInterrupt, BrokenPipeError):
            return


def _messages(options: dict[str, Any]) -> Iterator[Message]:
    if options["source"] == "kafka":
        return messages_in_kafka(topic=options["topic"], follow=options["follow"])
    return messages_in_outbox(
        topic=options["topic"],
        after=options["after"],
        client_id=options["client"],
        follow=options["follow"],
    )
