"""Two S3 servers, built from source: VersityGW, and the last release of MinIO."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import ClassVar, Final

from tools.servers.machine import ServerUnavailable, find_executable, run
from tools.servers.packages import cached
from tools.servers.server import Server

# From this version on, Go downloads the newer toolchain that a module requires.
_OLDEST_GO: Final = (1, 21)


class _GoServer(Server):
    """A server that is a single executable, built once by `go install`."""

    module: ClassVar[str]
    release: ClassVar[str]  # the version in Go's module proxy
    packages = {}
    url = "http://timba:{password}@{address}"
    settings = {"STORAGE_URL": "s3+{url}/timba"}  # its users create the bucket

    def path(self, executable: str) -> str:
        return str(cached(f"{self.name}-{self.release}", self._install) / executable)

    def build(self) -> None:
        self.path(self.name)

    def initialize(self) -> None:
        self.data.mkdir()

    def _install(self, folder: Path) -> None:
        go = find_executable("go")
        if go is None or _go_version(go) < _OLDEST_GO:
            raise ServerUnavailable(
                f"{self.title} is built with Go, and Go 1.21 or later is not on this machine. "
                "Install it (https://go.dev/dl), then run this again."
            )
        print(f"Building {self.title} with Go: this takes minutes, once.", flush=True)
        run(
            ("nice", "-n", "10", go, "install", "-trimpath", f"{self.module}@{self.release}"),
            cwd=folder,
            environment={"CGO_ENABLED": "0", "GOBIN": str(folder)},
        )


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


def _go_version(go: str) -> tuple[int, ...]:
    match = re.search(r"go(\d+)\.(\d+)", run((go, "env", "GOVERSION")))
    return tuple(map(int, match.groups())) if match else (0,)
