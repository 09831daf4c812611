"""All the servers there are, in one visible place; brings them up and down at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from tools.servers.chromium import Chromium
from tools.servers.kafka import Kafka
from tools.servers.lives import have, start, stop
from tools.servers.machine import CannotBeHad
from tools.servers.mariadb import MariaDB
from tools.servers.postgresql import PostgreSQL
from tools.servers.redis import Redis
from tools.servers.runs import Place, locked, run_folder
from tools.servers.s3 import MinIO, VersityGW
from tools.servers.server import Program, Server
from tools.servers.standings import Standing, standing_of

# Where two can serve Timba as the same thing, the first that is asked for does.
PROGRAMS: Final[dict[str, Program]] = {
    program.name: program
    for program in (
        PostgreSQL(),
        MariaDB(),
        Redis(),
        VersityGW(),
        MinIO(),
        Kafka(),
        Chromium(),
    )
}


def bring_up(programs: Sequence[Program], *, durable: bool = False) -> dict[str, str]:
    """Install, build and start; return why for each program that cannot be had."""

    def start_one(server: Server) -> str:
        began = time.monotonic()
        instance = start(server, _place(server), durable=durable)
        took = time.monotonic() - began
        return f"{server.title} {instance.version} is up at {instance.address} ({took:.1f} s)."

    with locked(run_folder()):
        reasons = have(programs)
        can_be_had = [program for program in programs if program.name not in reasons]
        reasons |= _at_once(can_be_had, start_one)
        for program in programs:
            _place(program).remember_reason(reasons.get(program.name, ""))
    return reasons


def take_down(programs: Sequence[Program]) -> dict[str, str]:
    """End what runs and remove what it had; return why for each that would not end."""

    def stop_one(server: Server) -> str:
        return f"{server.title} is down." if stop(server, _place(server)) else ""

    with locked(run_folder()):
        reasons = _at_once(programs, stop_one)
        for program in programs:
            if not isinstance(program, Server):
                _place(program).clear()
    return reasons


def standings(programs: Iterable[Program]) -> list[Standing]:
    """Look at programs now."""
    return [standing_of(program, _place(program)) for program in programs]


def _at_once(programs: Iterable[Program], act: Callable[[Server], str]) -> dict[str, str]:
    """Do the same to all servers at the same time; return why for each where it failed."""
    reasons = {}
    with ThreadPoolExecutor(max_workers=len(PROGRAMS)) as pool:
        servers = [program for program in programs if isinstance(program, Server)]
        acts = {pool.submit(act, server): server for server in servers}
        for done in as_completed(acts):
            try:
                if sentence := done.result():
                    print(sentence, flush=True)
            except CannotBeHad as reason:
                reasons[acts[done].name] = str(reason)
    return reasons


def _place(program: Program) -> Place:
    return Place(run=run_folder(), name=program.name)
