"""A server's life: had, started until it answers, and ended for good."""

from __future__ import annotations

import dataclasses
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from tools.servers.machine import CannotBeHad, install, last_words, retire
from tools.servers.ports import are_free, free_ports, listens
from tools.servers.processes import launch
from tools.servers.runs import Place
from tools.servers.server import Instance, Program, Server

_TRIES: Final = 5
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_TICK_SECONDS: Final = 0.02


class _EndedAtOnce(Exception):
    """The process ended before it served; the message is what it said."""


def have(programs: Sequence[Program]) -> dict[str, str]:
    """See to it that programs are on the machine; return why for each one that cannot be."""
    wanted = {program.name: program.missing_packages() for program in programs}
    packages = sorted({package for missing in wanted.values() for package in missing})
    failures = {}
    if packages:
        print(f"Not on this machine yet: {', '.join(packages)}.", flush=True)
        failures = install(packages)
    reasons: dict[str, str] = {}
    for program in programs:
        failed = sorted(
            {failures[package] for package in wanted[program.name] if package in failures}
        )
        if failed:
            reasons[program.name] = f"{program.title} is not on this machine. {' '.join(failed)}"
            continue
        if wanted[program.name] and program.service:
            retire(program.service)
        try:
            program.build()
        except CannotBeHad as reason:
            reasons[program.name] = str(reason)
    return reasons


def start(server: Server, place: Place, *, durable: bool) -> Instance:
    """Start a server, or leave it be if it runs; one that died comes back with port and data."""
    running = place.instance()
    if running and place.identity():
        if running.durable != durable:
            raise CannotBeHad(
                f"{server.title} is up {'with' if running.durable else 'without'} --durable. "
                f"Take it down first: tools/services down {server.name}"
            )
        return running
    instance = Instance(
        folder=place.folder,
        ports=running.ports if running else free_ports(server.ports),
        password=running.password if running else secrets.token_hex(16),
        durable=durable,
        version=server.version(),
    )
    for attempt in range(_TRIES):
        try:
            _start_once(server, place, instance)
        except _EndedAtOnce as ended:
            said = str(ended)
            if not are_free(instance.ports):
                instance = dataclasses.replace(instance, ports=free_ports(server.ports))
            else:
                time.sleep(0.3 * attempt)  # what its killed predecessor holds may need a moment
        else:
            return instance
    raise CannotBeHad(
        f"{server.title} ended {_TRIES} times at its start: {last_words(said)} "
        f"All that it said is in {place.log}."
    )


def stop(server: Server, place: Place) -> bool:
    """End a server if it runs, remove what it had, and tell whether there was anything."""
    identity = place.identity()
    if identity:
        identity.stop(server.stop_signal, seconds=_STOP_SECONDS)
        if identity.is_alive():
            raise CannotBeHad(
                f"{server.title} (pid {identity.pid}) does not end. Nothing of it was removed."
            )
    known = identity is not None or place.instance() is not None
    place.clear()
    return known


def _start_once(server: Server, place: Place, instance: Instance) -> None:
    place.keep(instance)
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
        record=place.process,
        log=place.log,
    )
    try:
        _wait_until_it_serves(server, place, instance, process)
    except CannotBeHad:
        stop(server, place)
        raise


def _wait_until_it_serves(
    server: Server, place: Place, instance: Instance, process: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _EndedAtOnce(place.log.read_text(errors="replace"))
        # Somebody else may have taken the port, and answer in the same language.
        if listens(process.pid, instance.ports[0]) and server.answers(instance):
            return
        time.sleep(_TICK_SECONDS)
    said = last_words(place.log.read_text(errors="replace"))
    raise CannotBeHad(
        f"{server.title} did not answer within {_START_SECONDS:.0f} s. The last it said: {said}"
    )
