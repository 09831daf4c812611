"""The commands of `tools/services`: up, down, status, env."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
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
from tools.servers.standings import environment, standing_of

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
_EXAMPLES: Final = """\
examples:
  tools/services up                  bring everything up
  eval "$(tools/services env)"       let Timba use it: PostgreSQL, Redis, VersityGW, Kafka
  eval "$(tools/services env mariadb redis minio)"
  tools/services down                end exactly what was started

Several sets of servers live side by side when each has a folder in TIMBA_SERVICES_DIR.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return what the shell gets."""
    options = _parser().parse_args(arguments)
    programs = [PROGRAMS[name] for name in options.names or PROGRAMS]
    try:
        code: int = options.command(programs, options)
    except CannotBeHad as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # what was started is written down: `down` ends it
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/services",
        description="Real servers for tests, benches and demos, on loopback, without Docker.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="up|down|status|env")

    def add(
        name: str, command: Callable[[list[Program], argparse.Namespace], int], meaning: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.")
        added.add_argument("names", nargs="*", type=_name, metavar="name", help=", ".join(PROGRAMS))
        added.set_defaults(command=command)
        return added

    up = add("up", _up, "install and build what is missing, then start all, or those named")
    durable = "survive power cuts, as in production: for benches"
    up.add_argument("--durable", action="store_true", help=durable)
    add("down", _down, "end what was started and remove its data")
    status = add("status", _status, "name each server: version, address, pid")
    status.add_argument("--json", action="store_true", help="for programs")
    env = add("env", _env, "print the environment that makes Timba and its tests use them")
    tests = "only what leads tests to servers: Timba itself stays on its defaults"
    env.add_argument("--tests", action="store_true", help=tests)
    return parser


def _name(given: str) -> str:
    if given not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"“{given}” is none of {', '.join(PROGRAMS)}")
    return given


def _up(programs: list[Program], options: argparse.Namespace) -> int:
    def bring_up(server: Server) -> str:
        began = time.monotonic()
        instance = start(server, _place(server), durable=options.durable)
        took = time.monotonic() - began
        return f"{server.title} {instance.version} is up at {instance.address} ({took:.1f} s)."

    with locked(run_folder()):
        reasons = have(programs)
        reasons |= _at_once(
            [program for program in _servers(programs) if program.name not in reasons], bring_up
        )
        for program in programs:
            _place(program).remember_reason(reasons.get(program.name, ""))
    return _tell(reasons)


def _down(programs: list[Program], _options: argparse.Namespace) -> int:
    def take_down(server: Server) -> str:
        return f"{server.title} is down." if stop(server, _place(server)) else ""

    with locked(run_folder()):
        reasons = _at_once(_servers(programs), take_down)
        for program in programs:
            if not isinstance(program, Server):
                _place(program).clear()
    return _tell(reasons)


def _status(programs: list[Program], options: argparse.Namespace) -> int:
    standings = [standing_of(program, _place(program)) for program in programs]
    if options.json:
        print(json.dumps([standing.facts() for standing in standings], indent=1))
    else:
        for standing in standings:
            print(standing.line())
    return 0 if all(standing.is_there for standing in standings) else 1


def _env(programs: list[Program], options: argparse.Namespace) -> int:
    standings = [standing_of(program, _place(program)) for program in programs]
    for name, value in environment(standings, for_timba=not options.tests).items():
        print(f"export {name}={shlex.quote(value)}")
    if options.names:
        return _tell({one.program.name: one.reason for one in standings if not one.is_there})
    if options.tests or any(standing.instance for standing in standings):
        return 0
    return _tell({"": "No server is up. Bring them up first: tools/services up"})


def _at_once(servers: Iterable[Server], act: Callable[[Server], str]) -> dict[str, str]:
    """Do the same to all servers at the same time; return why for each where it failed."""
    reasons = {}
    with ThreadPoolExecutor(max_workers=len(PROGRAMS)) as pool:
        acts = {pool.submit(act, server): server for server in servers}
        for done in as_completed(acts):
            try:
                if sentence := done.result():
                    print(sentence, flush=True)
            except CannotBeHad as reason:
                reasons[acts[done].name] = str(reason)
    return reasons


def _tell(reasons: dict[str, str]) -> int:
    for reason in reasons.values():
        print(reason, file=sys.stderr)
    return 1 if reasons else 0


def _servers(programs: Iterable[Program]) -> list[Server]:
    return [program for program in programs if isinstance(program, Server)]


def _place(program: Program) -> Place:
    return Place(run=run_folder(), name=program.name)
