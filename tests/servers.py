"""Fixtures for the real servers that `tools/services` started; all test processes share them.

The variables of `tools/services env --tests` name their addresses. A missing server skips the test
with the reason, or fails it if CI=true. A test creates its own database, bucket or topic.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

# The lower databases of Redis are for a Timba that is run with `tools/services env`.
_FIRST_REDIS_DATABASE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Server:
    """An S3 server and its keys; it starts without buckets."""

    endpoint: str
    access_key: str
    secret_key: str

    def storage_url(self, bucket: str) -> str:
        """Return the STORAGE_URL of a bucket on this server."""
        scheme, _, address = self.endpoint.partition("://")
        return f"s3+{scheme}://{self.access_key}:{self.secret_key}@{address}/{bucket}"


@dataclass(frozen=True, kw_only=True, slots=True)
class KafkaServer:
    """A Kafka broker, and the jars of Kafka's commands, such as its console consumer."""

    bootstrap_servers: str
    jars: Path


def pytest_report_header() -> list[str]:
    """Name each real server with its version, and the reason why another is missing."""
    servers = os.environ.get("TIMBA_TEST_SERVERS") or "none (tools/services up)"
    missing = sorted(name for name in os.environ if _names_a_missing_server(name))
    return [f"real servers: {servers}", *(f"missing: {os.environ[name]}" for name in missing)]


@pytest.fixture(scope="session")
def mariadb_url() -> str:
    """Return the URL of a MariaDB database whose user may create others."""
    if find_spec("MySQLdb") is None:
        _skip_or_fail("MariaDB's driver is not installed. Build it: make mariadb")
    return _variable("TIMBA_TEST_MARIADB_URL", server="mariadb")


@pytest.fixture(scope="session")
def redis_url(worker_id: str) -> str:
    """Return the URL of a Redis database that no other test process uses."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    url = _variable("TIMBA_TEST_REDIS_URL", server="redis")
    return f"{url}/{_FIRST_REDIS_DATABASE + number}"


@pytest.fixture(scope="session")
def versitygw() -> S3Server:
    """Return the S3 server that Timba's compose file contains."""
    return _s3("TIMBA_TEST_VERSITYGW_URL", server="versitygw")


@pytest.fixture(scope="session")
def minio() -> S3Server:
    """Return MinIO, a widespread S3 server."""
    return _s3("TIMBA_TEST_MINIO_URL", server="minio")


@pytest.fixture(scope="session")
def kafka() -> KafkaServer:
    """Return the broker; all test processes share Timba's topics on it."""
    return KafkaServer(
        bootstrap_servers=_variable("TIMBA_TEST_KAFKA", server="kafka"),
        jars=Path(_variable("TIMBA_TEST_KAFKA_JARS", server="kafka")),
    )


def _s3(variable: str, *, server: str) -> S3Server:
    url = urlsplit(_variable(variable, server=server))
    assert url.username is not None
    assert url.password is not None
    return S3Server(
        endpoint=f"{url.scheme}://{url.hostname}:{url.port}",
        access_key=url.username,
        secret_key=url.password,
    )


def _variable(name: str, *, server: str) -> str:
    value = os.environ.get(name)
    if not value:
        _skip_or_fail(
            os.environ.get(
                f"TIMBA_TEST_{server.upper()}_MISSING",
                f"{name} is not set. Bring the server up: tools/services up {server}",
            )
        )
    return value


def _skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _names_a_missing_server(variable: str) -> bool:
    return variable.startswith("TIMBA_TEST_") and variable.endswith("_MISSING")
