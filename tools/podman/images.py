"""The images of compose.yaml: Debian's, the stand-ins for other servers, and Timba's own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from tools.podman.engine import ROOT, has_image, podman
from tools.servers.go import go_install
from tools.servers.kafka import download_kafka
from tools.servers.machine import ServerUnavailable, run
from tools.servers.s3 import VersityGW

CADDY_RELEASE: Final = "v2.10.2"
_RELEASE: Final = "trixie"
_DEBIAN: Final = f"docker.io/library/debian:{_RELEASE}-slim"
_STAND_INS: Final = Path(__file__).parent / "stand_ins"
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
# The machine's network, because builds download packages.
_BUILD: Final = ("--network=host", "--format=docker", "--ulimit=nofile=1024:4096")


def build_images(folder: Path) -> None:
    """Build what is missing; `folder` is for temporary files. Raises ServerUnavailable."""
    if not has_image(_DEBIAN):
        _import_debian()
    digest = _digest_of_stand_ins()
    for image in sorted(stand_in_images()):
        if not has_image(_full_name(image), label=f"stand-ins={digest}"):
            _build_stand_in(image, digest)
    arguments = " ".join((*_BUILD, *_mounts(folder)))
    compose = (sys.executable, "-m", "podman_compose", f"--podman-build-args={arguments}")
    print("Building Timba's image.", flush=True)
    if subprocess.run((*compose, "build", "web"), cwd=ROOT, check=False).returncode:
        raise ServerUnavailable("Timba's image could not be built.")


def stand_in_images() -> set[str]:
    """Return the images of other projects in compose.yaml."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    images = {service["image"] for service in compose["services"].values()}
    return {image for image in images if not image.startswith("timba:")}


def _import_debian() -> None:
    """Make Debian's image from its packages."""
    sites = run(("apt-get", "indextargets", "Label: Debian", "--format", "$(SITE)")).split()
    if not sites:
        raise ServerUnavailable("apt has no package lists of Debian. Run: apt-get update")
    print("Making Debian's image from its packages, once.", flush=True)
    with TemporaryDirectory() as folder:
        options = ("--variant=minbase", "--include=ca-certificates")
        run(("debootstrap", *options, _RELEASE, folder, sites[0]))
        tar = subprocess.Popen(("tar", "-C", folder, "-c", "."), stdout=subprocess.PIPE)
        assert tar.stdout is not None  # noqa: S101 - it is a pipe
        podman("import", "--quiet", "-", _DEBIAN, stdin=tar.stdout.fileno())
        if tar.wait():
            raise ServerUnavailable("Debian's image could not be made: tar failed.")


def _digest_of_stand_ins() -> str:
    """Return what changes with their sources: images of earlier ones are built anew."""
    sources = sorted(path.read_bytes() for path in _STAND_INS.iterdir())
    return hashlib.sha256(b"\0".join([CADDY_RELEASE.encode(), *sources])).hexdigest()[:12]


def _build_stand_in(image: str, digest: str) -> None:
    """Build the stage that has the name of the image: `kafka` for `apache/kafka:4.3.1`."""
    target = image.rpartition("/")[2].partition(":")[0]
    caddy = go_install("caddy", "Caddy", "github.com/caddyserver/caddy/v2/cmd/caddy", CADDY_RELEASE)
    contexts = {
        "jars": download_kafka(),
        "versitygw-program": Path(VersityGW().path("versitygw")).parent,
        "caddy-program": caddy,
    }
    print(f"Building a stand-in for {image}, once.", flush=True)
    podman(
        *("build", "--quiet", *_BUILD, f"--target={target}", f"--tag={_full_name(image)}"),
        f"--label=stand-ins={digest}",
        *(f"--build-context={name}={path}" for name, path in contexts.items()),
        _STAND_INS,
    )


def _full_name(image: str) -> str:
    return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"


def _mounts(folder: Path) -> list[str]:
    """Return options by which downloads during the build trust what this machine trusts."""
    files = {
        "/etc/uv/uv.toml": "system-certs = true\n",
        "/root/.npmrc": f"cafile={_CERTIFICATES}\n",
    }
    mounts = [f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro"]
    for number, (path, text) in enumerate(files.items()):
        own = folder / str(number)
        own.write_text(text)
        mounts.append(f"--volume={own}:{path}:ro")
    return mounts
