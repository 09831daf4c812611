"""Apache Kafka: one broker that is its own controller, run from jars downloaded by Maven."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Final

from tools.servers.machine import LOOPBACK, find_version, run
from tools.servers.maven import check_java, download_jars
from tools.servers.server import Server

_POM: Final = Path(__file__).resolve().parents[1] / "kafka" / "pom.xml"
_STARTS_QUICKLY: Final = ("-XX:TieredStopAtLevel=1",)  # slower later, so not for benchmarks
_CONFIGURATION: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={loopback}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{loopback}:{port},CONTROLLER://{loopback}:{controller_port}
log.dirs={data}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A killed broker may register again only when its old session has expired.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


class Kafka(Server):
    """A broker that creates no topics automatically: publishers create them."""

    name = "kafka"
    title = "Apache Kafka"
    url = "{address}"
    settings = {"KAFKA_BOOTSTRAP_SERVERS": "{url}"}
    packages = {"java": "default-jre-headless"}
    port_count = 2

    def version(self) -> str:
        return find_version(_POM.read_text().partition("<kafka>")[2])

    def build(self) -> None:
        check_java(self.path("java"), self.title, oldest=17)
        download_kafka()

    def initialize(self) -> None:
        *java, _, properties = self.configure()
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        format_storage = (
            *(*java, "kafka.tools.StorageTool", "format", "--standalone"),
            # With “=”, because the id of a cluster may begin with “-”.
            *(f"--cluster-id={cluster}", "--config", properties),
        )
        run(format_storage, cwd=self.folder)

    def configure(self) -> tuple[str, ...]:
        port, controller_port = self.ports
        configuration = _CONFIGURATION.format(
            loopback=LOOPBACK, port=port, controller_port=controller_port, data=self.data
        )
        properties = self.write("server.properties", configuration)
        return (
            *(self.path("java"), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC"),
            *(() if self.durable else _STARTS_QUICKLY),
            *("-cp", f"{download_kafka()}/*", "kafka.Kafka", str(properties)),
        )

    def test_variables(self) -> dict[str, str]:
        return {"TIMBA_TEST_KAFKA": self.address}


def download_kafka() -> Path:
    """Return the folder of Kafka's jars; download them on first use."""
    return download_jars(_POM, "Apache Kafka")
