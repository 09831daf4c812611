"""Runs a profile of compose.yaml by podman-compose, as `docker compose` does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

import requests
import yaml

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import PASSWORD, ApiClient
from tools.servers.machine import free_ports

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
_START_SECONDS: Final = 180


class Stack:
    """The containers of a profile, with volumes and ports of their own.

    As a context manager it runs during the block, and leaves nothing behind.
    """

    def __init__(self, profile: str, folder: Path) -> None:
        self.profile = profile
        self._project = f"timba-{profile}"
        self._root = folder / "root.crt"
        http, https = free_ports(2)
        self.url = f"https://localhost:{https}"
        self._environment = {
            **{name: text for name, text in os.environ.items() if "TIMBA" not in name},
            "COMPOSE_PROFILES": profile,
            "COMPOSE_PROJECT_NAME": self._project,
            "TIMBA_HTTP_PORT": str(http),
            "TIMBA_HTTPS_PORT": str(https),
            "TIMBA_URL": self.url,
        }
        self.services = [
            name
            for name, service in COMPOSE["services"].items()
            if name != "keys" and profile in service.get("profiles", [profile])
        ]

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down("--volumes")

    def compose(self, *arguments: str) -> str:
        """Run podman-compose, and return its output."""
        command = (sys.executable, "-m", "podman_compose", *arguments)
        return _run(*command, environment=self._environment)

    def up(self) -> None:
        """Start all services, and return when they are healthy and Caddy forwards to them."""
        # podman restarts no container whose dependency has ended, as `keys` has; Docker does.
        self.compose("up", "--detach", "--no-deps")
        self._keep_bridge_addresses()
        for service in self.services:
            self.wait_until_healthy(service)
        authority = self.exec("caddy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        self._root.write_text(authority)
        wait_until(self._answers, seconds=_START_SECONDS, what=f"{self.url} answers")

    def start(self, *services: str) -> None:
        """Start these services, and the one that makes their keys; return when they are healthy."""
        self.compose("up", "--detach", "--no-deps", "keys", *services)
        for service in services:
            self.wait_until_healthy(service)

    def remove_volumes(self, *names: str) -> None:
        """Remove volumes of containers that are down."""
        _run("podman", "volume", "rm", *(f"{self._project}_{name}" for name in names))

    def run_in_new(self, folder: Path, *command: str) -> None:
        """Run a command of Timba in a container of its own, with the folder as `/backup`."""
        volume = ("--volume", f"{folder}:/backup")
        self.compose("run", "--rm", "--no-deps", "-T", *volume, "web", *command)

    def down(self, *options: str) -> None:
        """Stop and remove the containers; `--volumes` removes the data too."""
        self.compose("down", *options)

    def exec(self, service: str, *command: str, **variables: str) -> str:
        """Run a command in a service's container, and return its output."""
        options = (option for pair in variables.items() for option in ("--env", "=".join(pair)))
        return self.compose("exec", "-T", *options, service, *command)

    def restart(self, service: str) -> None:
        """Stop a service in order and start it again; return when it is healthy."""
        self.compose("restart", "--timeout", "20", service)
        self.wait_until_healthy(service)

    def kill(self, service: str) -> int:
        """Kill all processes of a service's container; return the pid of its first one."""
        pid = int(self.inspect(service)["State"]["Pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def inspect(self, service: str) -> Any:
        """Return what podman knows of a service's container."""
        return json.loads(_run("podman", "inspect", self._container(service)))[0]

    def wait_until_healthy(self, service: str) -> None:
        """Wait for the service's health check, which no timer runs where there is no systemd."""
        check = ("podman", "healthcheck", "run", self._container(service))

        def is_healthy() -> bool:
            return subprocess.run(check, capture_output=True, check=False).returncode == 0

        wait_until(is_healthy, seconds=_START_SECONDS, what=f"{service} is healthy")

    def sign_in(self, username: str, password: str) -> ApiClient:
        """Return an API client that trusts Caddy's own authority, and nothing else."""
        credentials = {"username": username, "password": password}
        response = requests.post(
            f"{self.url}/api/token/", json=credentials, timeout=60, verify=str(self._root)
        )
        assert response.status_code == 200, response.text
        client = ApiClient(self.url, response.json()["access"])
        client.verify = str(self._root)
        client.trust_env = False  # a variable of the machine may name other authorities
        return client

    def create_owner(self) -> ApiClient:
        """Create the administrator, by whom a client with its owner; return the owner's client."""
        self.exec("web", "timba", "csu", TIMBA_ADMIN_PASSWORD=PASSWORD)
        owner = {"name": "Zagari", "username": "owner", "password": PASSWORD}
        response = self.sign_in("admin", PASSWORD).post("/api/clients/", json=owner)
        assert response.status_code == 201, response.text
        return self.sign_in("owner", PASSWORD)

    def _keep_bridge_addresses(self) -> None:
        """Give each bridge a hardware address that stays, as Docker does.

        Otherwise it has the lowest one of its containers. When that one restarts, the others send
        packets for the name server, which is behind the bridge, to an address that has gone: for
        many seconds they look up no name.
        """
        for network in COMPOSE["networks"]:
            [described] = json.loads(
                _run("podman", "network", "inspect", f"{self._project}_{network}")
            )
            bridge = described["network_interface"]
            address = Path(f"/sys/class/net/{bridge}/address").read_text().strip()
            _run("ip", "link", "set", "dev", bridge, "address", address)

    def _container(self, service: str) -> str:
        return f"{self._project}_{service}_1"

    def _answers(self) -> bool:
        try:
            ready = requests.get(f"{self.url}/health/ready", timeout=5, verify=str(self._root))
        except requests.RequestException:
            return False
        return ready.ok


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
