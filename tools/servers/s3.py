"""Two S3 servers, built from source: VersityGW, and the last release of MinIO."""

from __future__ import annotations

import re
import urllib.request
from typing import ClassVar

from tools.servers.go import go_install
from tools.servers.server import Server


class _GoServer(Server):
    """A server that is a single executable, built once by `go install`."""

    module: ClassVar[str]
    release: ClassVar[str]  # the version in Go's module proxy
    packages = {}
    url = "http://timba:{password}@{address}"
    settings = {"STORAGE_URL": "s3+{url}/timba"}  # its users create the bucket

    def path(self, executable: str) -> str:
        folder = go_install(self.name, self.title, self.module, self.release)
        return str(folder / executable)

    def build(self) -> None:
        self.path(self.name)

    def initialize(self) -> None:
        self.data.mkdir()


class VersityGW(_GoServer):
    """An S3 gateway to a folder: each object is a plain file."""

    name = "versitygw"
    title = "VersityGW"
    module = "github.com/versity/versitygw/cmd/versitygw"
    release = "v1.7.0"
    environment = {"ROOT_ACCESS_KEY": "timba", "ROOT_SECRET_KEY": "{password}"}

    def version(self) -> str:
        return self.release.removeprefix("v")

    def configure(self) -> tuple[str, ...]:
        return (self.path("versitygw"), "--port", self.address, "posix", str(self.data))


class MinIO(_GoServer):
    """MinIO, whose repository was archived in 2026; many installations still run it."""

    name = "minio"
    title = "MinIO"
    module = "github.com/minio/minio"
    release = "v0.0.0-20260212201848-7aac2a2c5b7c"
    environment = {
        "MINIO_ROOT_USER": "timba",
        "MINIO_ROOT_PASSWORD": "{password}",
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }

    def version(self) -> str:
        year, month, day = re.findall(r"-(\d{4})(\d\d)(\d\d)", self.release)[0]
        return f"{year}-{month}-{day}"

    def configure(self) -> tuple[str, ...]:
        return (self.path("minio"), "server", "--address", self.address, str(self.data))

    def is_ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(f"http://{self.address}/minio/health/live", timeout=1).close()
        except OSError:  # an error status is one too
            return False
        return True
