"""The commands of `tools/services`: up, down, status, env, run."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tools.servers.fleet import PROGRAMS, bring_up, standings, take_down
from tools.servers.machine import CannotBeHad
from tools.servers.running import run_among
from tools.servers.server import Program
from tools.servers.standings import environment

Command = Callable[[list[Program], argparse.Namespace], int]

_EXAMPLES: Final = """\
examples:
  tools/services up                      bring everything up
  eval "$(tools/services env)"           let Timba use it: PostgreSQL, Redis, VersityGW, Kafka
  eval "$(tools/services env mariadb redis minio)"
  tools/services down                    end exactly what was started
  tools/services run --tests -- pytest   all of that around one command

Several sets of servers live side by side when each has a folder in TIMBA_SERVICES_DIR.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return what the shell gets."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:cut])
    options.program = arguments[cut + 1 :]
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
    commands = parser.add_subparsers(required=True, metavar="up|down|status|env|run")

    def add(name: str, command: Command, meaning: str, **flags: str) -> None:
        added = commands.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.")
        added.add_argument("names", nargs="*", type=_name, metavar="name", help=", ".join(PROGRAMS))
        for flag, purpose in flags.items():
            added.add_argument(f"--{flag}", action="store_true", help=purpose)
        added.set_defaults(command=command)

    durable = "survive power cuts, as in production: for benches"
    tests = "only what leads tests to servers: Timba itself stays on its defaults"
    up = "install and build what is missing, then start all, or those named"
    add("up", _up, up, durable=durable)
    add("down", _down, "end what was started and remove its data")
    add("status", _status, "name each server: version, address, pid", json="for programs")
    add("env", _env, "print the environment that makes Timba and its tests use them", tests=tests)
    add(
        "run", _run, "bring up, run what follows “--” with that environment, take down", tests=tests
    )
    return parser


def _name(given: str) -> str:
    if given not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"“{given}” is none of {', '.join(PROGRAMS)}")
    return given


def _up(programs: list[Program], options: argparse.Namespace) -> int:
    return _tell(bring_up(programs, durable=options.durable))


def _down(programs: list[Program], _options: argparse.Namespace) -> int:
    return _tell(take_down(programs))


def _status(programs: list[Program], options: argparse.Namespace) -> int:
    found = standings(programs)
    if options.json:
        print(json.dumps([standing.facts() for standing in found], indent=1))
    else:
        for standing in found:
            print(standing.line())
    return 0 if all(standing.is_there for standing in found) else 1


def _env(programs: list[Program], options: argparse.Namespace) -> int:
    found = standings(programs)
    for name, value in environment(found, for_timba=not options.tests).items():
        print(f"export {name}={shlex.quote(value)}")
    if options.names:
        return _tell({one.program.name: one.reason for one in found if not one.is_there})
    if options.tests or any(one.instance for one in found):
        return 0
    return _tell({"": "No server is up. Bring them up first: tools/services up"})


def _run(programs: list[Program], options: argparse.Namespace) -> int:
    if not options.program:
        return _tell({"": "Say what to run: tools/services run … -- command"})
    return run_among(programs, options.program, for_timba=not options.tests)


def _tell(reasons: dict[str, str]) -> int:
    for reason in reasons.values():
        print(reason, file=sys.stderr)
    return 1 if reasons else 0
