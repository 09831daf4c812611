"""Reads a topic with Kafka's own console consumer, as a check that is independent of Timba."""

from __future__ import annotations

import json
import subprocess
from typing import Any, NamedTuple

from tools.servers.kafka import download_jars


class Record(NamedTuple):
    """One record as the console consumer prints it."""

    headers: dict[str, str]
    key: str
    value: dict[str, Any]


def read_topic(address: str, topic: str) -> list[Record]:
    """Return every record of a topic, oldest first in each partition."""
    command = [
        # Log lines would go to standard output.
        *("java", "-Xmx128m", "-cp", f"{download_jars()}/*", "-Dlog4j2.level=OFF"),
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", address, "--topic", topic, "--from-beginning"),
        *("--timeout-ms", "5000"),
        *("--formatter-property", "print.key=true"),
        *("--formatter-property", "print.headers=true"),
    ]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Processed a total of" in process.stderr, process.stderr
    return [_record(line) for line in process.stdout.splitlines()]


def _record(line: str) -> Record:
    headers, key, value = line.split("\t")
    pairs = (header.split(":", 1) for header in headers.split(","))
    return Record(headers=dict(pairs), key=key, value=json.loads(value))
