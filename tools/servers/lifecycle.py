"""The life cycle of one server: installed, started until it is ready, stopped and removed."""

from __future__ import annotations

import dataclasses
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from tools.servers.packages import ServerUnavailable, disable_service, install, last_line
from tools.servers.ports import are_free, free_ports, listens
from tools.servers.processes import launch
from tools.servers.server import Dependency, Instance, Server
from tools.servers.state import ServerState

_ATTEMPTS: Final = 5
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02


class _ExitedEarly(Exception):
    """The process exited before it was ready; the message is its output."""


def ensure_installed(dependencies: Sequence[Dependency]) -> dict[str, str]:
    """Install and build what is missing; return the reason for each dependency that fails."""
    missing = {dependency.name: dependency.missing_packages() for dependency in dependencies}
    packages = sorted({package for names in missing.values() for package in names})
    failures = {}
    if packages:
        print(f"Not on this machine yet: {', '.join(packages)}.", flush=True)
        failures = install(packages)
    reasons: dict[str, str] = {}
    for dependency in dependencies:
        failed = sorted(
            {failures[package] for package in missing[dependency.name] if package in failures}
        )
        if failed:
            reasons[dependency.name] = (
                f"{dependency.title} is not on this machine. {' '.join(failed)}"
            )
            continue
        if missing[dependency.name] and dependency.service:
            disable_service(dependency.service)
        try:
            dependency.build()
        except ServerUnavailable as reason:
            reasons[dependency.name] = str(reason)
    return reasons


def ensure_running(server: Server, state: ServerState, *, durable: bool) -> Instance:
    """Start a server unless it runs; one that crashed is restarted with its port and data."""
    previous = state.instance()
    if previous and state.identity():
        if previous.durable != durable:
            raise ServerUnavailable(
                f"{server.title} is up {'with' if previous.durable else 'without'} --durable. "
                f"Take it down first: tools/services down {server.name}"
            )
        return previous
    instance = Instance(
        folder=state.folder,
        ports=previous.ports if previous else free_ports(server.ports),
        password=previous.password if previous else secrets.token_hex(16),
        durable=durable,
        version=server.version(),
    )
    for attempt in range(_ATTEMPTS):
        try:
            _start_once(server, state, instance)
        except _ExitedEarly as exited:
            output = str(exited)
            if not are_free(instance.ports):
                instance = dataclasses.replace(instance, ports=free_ports(server.ports))
            else:
                # Resources of a killed predecessor may take a moment to be released.
                time.sleep(0.3 * attempt)
        else:
            return instance
    raise ServerUnavailable(
        f"{server.title} exited {_ATTEMPTS} times during its start: {last_line(output)} "
        f"Its whole output is in {state.log}."
    )


def stop(server: Server, state: ServerState) -> bool:
    """Stop a server if it runs and remove its files; return whether there was anything."""
    identity = state.identity()
    if identity:
        identity.stop(server.stop_signal, seconds=_STOP_SECONDS)
        if identity.is_alive():
            raise ServerUnavailable(
                f"{server.title} (pid {identity.pid}) does not stop. Its files were kept."
            )
    existed = identity is not None or state.instance() is not None
    state.clear()
    return existed


def _start_once(server: Server, state: ServerState, instance: Instance) -> None:
    state.save(instance)
    server.prepare(instance)
    command = server.configure(instance)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(instance.folder),
        **command.environment,
    }
    process = launch(
        command.arguments,
        cwd=instance.folder,
        account=server.account,
        environment=environment,
        record=state.process,
        log=state.log,
    )
    try:
        _wait_until_ready(server, state, instance, process)
    except ServerUnavailable:
        stop(server, state)
        raise


def _wait_until_ready(
    server: Server, state: ServerState, instance: Instance, process: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _ExitedEarly(state.log.read_text(errors="replace"))
        # Another process may have taken the port and speak the same protocol.
        if listens(process.pid, instance.ports[0]) and server.is_ready(instance):
            return
        time.sleep(_POLL_SECONDS)
    output = last_line(state.log.read_text(errors="replace"))
    raise ServerUnavailable(
        f"{server.title} was not ready within {_START_SECONDS:.0f} s. "
        f"The last line of its output: {output}"
    )
