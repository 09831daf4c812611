"""compose.yaml, the Dockerfile and the stand-ins agree with each other and with Timba."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from timba import __version__
from tools.podman.images import CADDY_RELEASE, stand_in_images
from tools.servers.kafka import Kafka
from tools.servers.s3 import VersityGW

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
LASTING = {name: service for name, service in SERVICES.items() if name != "keys"}


def test_the_label_of_the_image_is_the_version_of_timba() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r'image\.version="(.*)"', dockerfile) == [__version__]


def test_the_stand_ins_are_what_the_compose_file_names() -> None:
    versions = dict(image.rpartition("/")[2].split(":") for image in stand_in_images())
    stages = re.findall(
        r"^FROM \S+ AS (\S+)$",
        (ROOT / "tools/podman/stand_ins/Dockerfile").read_text(),
        re.MULTILINE,
    )
    assert set(versions) <= set(stages)
    assert versions["versitygw"] == VersityGW.release
    assert versions["kafka"] == Kafka().version()
    assert CADDY_RELEASE.startswith(f"v{versions['caddy']}.")


@pytest.mark.parametrize("name", LASTING)
def test_each_service_restarts_and_is_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"healthcheck", "mem_limit", "cpus", "pids_limit"} <= service.keys()


def test_only_caddy_can_be_reached_from_other_machines() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    outward = {name for name, service in LASTING.items() if "front" in service["networks"]}
    assert outward == {"caddy", "web", "web2"}


def test_caddy_gets_no_variable_of_timba_but_its_addresses() -> None:
    assert SERVICES["caddy"]["env_file"].startswith("containers/caddy/")
    files = list((ROOT / "containers/caddy").glob("*.env"))
    names = {line.partition("=")[0] for file in files for line in file.read_text().splitlines()}
    assert (len(files), names) == (3, {"TIMBA_UPSTREAMS"})


def test_no_variable_contains_a_password() -> None:
    text = (ROOT / "compose.yaml").read_text()
    text += "".join(path.read_text() for path in (ROOT / "containers").rglob("*.env"))
    names = re.findall(r"^ *([A-Z_]*(?:PASSWORD|SECRET|KEY|URL))(?:=|: )", text, re.MULTILINE)
    # One is a switch, the other the public address.
    assert set(names) == {"MARIADB_RANDOM_ROOT_PASSWORD", "TIMBA_URL"}
