"""Two S3 servers, built from source: VersityGW, and the last release of MinIO."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar, Final

from tools.servers.cache import cached
from tools.servers.packages import ServerUnavailable, find_executable, run
from tools.servers.server import Command, Instance, Server

_ACCESS_KEY: Final = "timba"
_BUCKET: Final = "timba"  # created by its users
# From this version on, Go downloads the newer toolchain that a module requires.
_OLDEST_GO: Final = (1, 21)


class _GoServer(Server):
    """A server that is a single executable, built once by `go install`."""

    module: ClassVar[str]
    release: ClassVar[str]  # the version in Go's module proxy
    packages = {}

    def path(self, executable: str) -> str:
        return str(cached(self._cache_name(), self._install) / executable)

    def build(self) -> None:
        cached(self._cache_name(), self._install)

    def initialize(self, instance: Instance) -> None:
        instance.data.mkdir()

    def timba_variables(self, instance: Instance) -> dict[str, str]:
        return {"STORAGE_URL": f"s3+{_url(instance)}/{_BUCKET}"}

    def test_variables(self, instance: Instance) -> dict[str, str]:
        return {f"TIMBA_TEST_{self.name.upper()}_URL": _url(instance)}

    def _cache_name(self) -> str:
        return f"{self.name}-{self.release}"

    def _install(self, folder: Path) -> None:
        go = find_executable("go")
        if go is None or _go_version(go) < _OLDEST_GO:
            oldest = ".".join(map(str, _OLDEST_GO))
            raise ServerUnavailable(
                f"{self.title} is built with Go, and Go {oldest} or later is not on this machine. "
                "Install it (https://go.dev/dl), then bring it up again."
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

    def version(self) -> str:
        return self.release.removeprefix("v")

    def initialize(self, instance: Instance) -> None:
        super().initialize(instance)
        try:
            os.setxattr(instance.data, "user.timba", b"")
        except OSError as error:
            raise ServerUnavailable(
                f"VersityGW stores metadata in extended attributes, which {instance.folder} lacks. "
                "Name a folder on another file system in TIMBA_SERVICES_DIR."
            ) from error

    def configure(self, instance: Instance) -> Command:
        return Command(
            arguments=(
                *(self.path("versitygw"), "--port", instance.address),
                *("posix", str(instance.data)),
            ),
            environment={"ROOT_ACCESS_KEY": _ACCESS_KEY, "ROOT_SECRET_KEY": instance.password},
        )

    def is_ready(self, instance: Instance) -> bool:
        return _status(f"http://{instance.address}/") is not None


class MinIO(_GoServer):
    """MinIO, whose repository was archived in 2026; many installations still run it."""

    name = "minio"
    title = "MinIO"
    module = "github.com/minio/minio"
    release = "v0.0.0-20260212201848-7aac2a2c5b7c"

    def version(self) -> str:
        year, month, day = re.findall(r"-(\d{4})(\d\d)(\d\d)", self.release)[0]
        return f"{year}-{month}-{day}"

    def configure(self, instance: Instance) -> Command:
        return Command(
            arguments=(
                *(self.path("minio"), "server", "--address", instance.address),
                str(instance.data),
            ),
            environment={
                "MINIO_ROOT_USER": _ACCESS_KEY,
                "MINIO_ROOT_PASSWORD": instance.password,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
        )

    def is_ready(self, instance: Instance) -> bool:
        return _status(f"http://{instance.address}/minio/health/live") == 200


def _url(instance: Instance) -> str:
    return f"http://{_ACCESS_KEY}:{instance.password}@{instance.address}"


def _status(url: str) -> int | None:
    """Return the status of the response, an error too; None if there is no response."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def _go_version(go: str) -> tuple[int, ...]:
    match = re.search(r"go(\d+)\.(\d+)", run((go, "env", "GOVERSION"), cwd=Path("/")))
    return tuple(map(int, match.groups())) if match else (0,)
