"""Kafka's own console consumer: what a topic holds, in the words of somebody else's program."""

from __future__ import annotations

import json
import subprocess
from typing import Any, NamedTuple

from tools.servers.kafka import Kafka
from tools.servers.server import Instance


class Record(NamedTuple):
    """What is printed of one record."""

    headers: dict[str, str]
    key: str
    value: dict[str, Any]


def printed(broker: Instance, topic: str) -> list[Record]:
    """Return every record of a topic, as it prints them."""
    kafka = Kafka()
    jars = kafka.test_variables(broker)["TIMBA_TEST_KAFKA_JARS"]
    command = [
        *(kafka.path("java"), "-Xmx128m", "-cp", f"{jars}/*"),
        # As the broker does it: what it logs is not among the records.
        f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.properties'}",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", broker.address, "--topic", topic, "--from-beginning"),
        *("--timeout-ms", "5000"),
        *("--formatter-property", "print.key=true"),
        *("--formatter-property", "print.headers=true"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Processed a total of" in done.stderr, done.stderr
    return [_record(line) for line in done.stdout.splitlines()]


def _record(line: str) -> Record:
    headers, key, value = line.split("\t")
    pairs = (header.split(":", 1) for header in headers.split(","))
    return Record(headers=dict(pairs), key=key, value=json.loads(value))
