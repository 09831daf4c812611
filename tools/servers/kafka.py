"""Apache Kafka: one broker that is its own controller, run from jars downloaded by Maven."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import uuid
from pathlib import Path
from typing import Final

from tools.servers.cache import cached, is_cached
from tools.servers.packages import ServerUnavailable, find_executable, run
from tools.servers.ports import LOOPBACK
from tools.servers.server import Command, Instance, Server

_POM: Final = Path(__file__).resolve().parents[1] / "kafka" / "pom.xml"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_OLDEST_JAVA: Final = 17
_API_VERSIONS: Final = 18
_STARTS_QUICKLY: Final = ("-XX:TieredStopAtLevel=1",)  # slower later, so not for benchmarks
_CONFIGURATION: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={loopback}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{loopback}:{port},CONTROLLER://{loopback}:{controller_port}
advertised.listeners=PLAINTEXT://{loopback}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=2
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A killed broker may register again only when its old session has expired.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""
_LOGGING: Final = """\
rootLogger.level=WARN
rootLogger.appenderRef.s.ref=STDERR
appender.s.type=Console
appender.s.name=STDERR
appender.s.target=SYSTEM_ERR
appender.s.layout.type=PatternLayout
appender.s.layout.pattern=%d %p %c %m%n
"""


class Kafka(Server):
    """A broker that creates no topics automatically: publishers create them."""

    name = "kafka"
    title = "Apache Kafka"
    ports = 2

    @property
    def packages(self) -> dict[str, str]:  # type: ignore[override]  # Maven is needed for the download only
        java = {"java": "default-jre-headless"}
        return java if is_cached(_cache_name()) else {**java, "mvn": "maven"}

    def version(self) -> str:
        match = re.search(r"<kafka>(.+?)</kafka>", _POM.read_text())
        return match.group(1) if match else "of unknown version"

    def build(self) -> None:
        java = self.path("java")
        match = re.search(r'version "(\d+)', run((java, "-version"), cwd=Path("/")))
        if match is None or int(match.group(1)) < _OLDEST_JAVA:
            raise ServerUnavailable(
                f"Apache Kafka runs on Java {_OLDEST_JAVA} or later, and {java} is older. "
                "Put a later one first on the search path."
            )
        _jars()

    def initialize(self, instance: Instance) -> None:
        command = self.configure(instance)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        format_storage = (
            *(*command.arguments[:-2], "kafka.tools.StorageTool", "format", "--standalone"),
            # With “=”, because the id of a cluster may begin with “-”.
            *(f"--cluster-id={cluster}", "--config", command.arguments[-1]),
        )
        run(format_storage, cwd=instance.folder)

    def configure(self, instance: Instance) -> Command:
        port, controller_port = instance.ports
        configuration = _CONFIGURATION.format(
            loopback=LOOPBACK, port=port, controller_port=controller_port, data=instance.data
        )
        properties = instance.write("server.properties", configuration)
        logging = instance.write("log4j2.properties", _LOGGING)
        return Command(
            arguments=(
                *(self.path("java"), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC"),
                *(() if instance.durable else _STARTS_QUICKLY),
                f"-Dlog4j2.configurationFile={logging}",
                *("-cp", f"{_jars()}/*", "kafka.Kafka", str(properties)),
            )
        )

    def is_ready(self, instance: Instance) -> bool:
        """Send ApiVersions, the first request of every client."""
        request = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
        try:
            with socket.create_connection((LOOPBACK, instance.ports[0]), timeout=1) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                return connection.makefile("rb").read(10)[4:] == struct.pack(">ih", 1, 0)
        except OSError:
            return False

    def timba_variables(self, instance: Instance) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": instance.address}

    def test_variables(self, instance: Instance) -> dict[str, str]:
        return {"TIMBA_TEST_KAFKA": instance.address, "TIMBA_TEST_KAFKA_JARS": str(_jars())}


def _cache_name() -> str:
    return f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"


def _jars() -> Path:
    return cached(_cache_name(), _download)


def _download(folder: Path) -> None:
    maven = find_executable("mvn")
    if maven is None:
        raise ServerUnavailable(
            "Apache Kafka is downloaded by Maven, and there is no mvn on this machine."
        )
    print("Downloading Apache Kafka with Maven, once.", flush=True)
    run(
        (
            *("nice", "-n", "10", maven, "-q", "-B", "-f", _POM, _COPY),
            *("-DincludeScope=runtime", f"-DoutputDirectory={folder}"),
        ),
        cwd=folder,
    )
