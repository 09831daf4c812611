"""The commands of `tools/services`: up, down, status, env, run."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tools.servers.cluster import DEPENDENCIES, bring_up, get_statuses, take_down
from tools.servers.packages import ServerUnavailable
from tools.servers.running import run_with_servers
from tools.servers.server import Dependency
from tools.servers.status import environment

Command = Callable[[list[Dependency], argparse.Namespace], int]

_EXAMPLES: Final = """\
examples:
  tools/services up                      start everything
  eval "$(tools/services env)"           let Timba use it: PostgreSQL, Redis, VersityGW, Kafka
  eval "$(tools/services env mariadb redis minio)"
  tools/services down                    stop exactly what was started
  tools/services run --tests -- pytest   start, run one command, stop

Several sets of servers can run side by side if each has its own folder in TIMBA_SERVICES_DIR.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:cut])
    options.program = arguments[cut + 1 :]
    dependencies = [DEPENDENCIES[name] for name in options.names or DEPENDENCIES]
    try:
        code: int = options.command(dependencies, options)
    except ServerUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # every started server is recorded, so `down` stops it
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/services",
        description="Real servers for tests, benchmarks and demos, on loopback, without Docker.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="up|down|status|env|run")

    def add(name: str, command: Command, summary: str, **flags: str) -> None:
        added = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        added.add_argument(
            "names", nargs="*", type=_name, metavar="name", help=", ".join(DEPENDENCIES)
        )
        for flag, purpose in flags.items():
            added.add_argument(f"--{flag}", action="store_true", help=purpose)
        added.set_defaults(command=command)

    durable = "survive power cuts, as in production: for benchmarks"
    tests = "only the variables of the tests: Timba itself keeps its defaults"
    up = "install and build what is missing, then start all servers, or those named"
    add("up", _up, up, durable=durable)
    add("down", _down, "stop what was started and remove its data")
    add("status", _status, "show each server: version, address, pid", json="machine-readable")
    add("env", _env, "print the environment that makes Timba and its tests use them", tests=tests)
    add(
        "run",
        _run,
        "start servers, run the command after “--” with that environment, stop them",
        tests=tests,
    )
    return parser


def _name(text: str) -> str:
    if text not in DEPENDENCIES:
        raise argparse.ArgumentTypeError(f"“{text}” is none of {', '.join(DEPENDENCIES)}")
    return text


def _up(dependencies: list[Dependency], options: argparse.Namespace) -> int:
    return _print_errors(bring_up(dependencies, durable=options.durable))


def _down(dependencies: list[Dependency], _options: argparse.Namespace) -> int:
    return _print_errors(take_down(dependencies))


def _status(dependencies: list[Dependency], options: argparse.Namespace) -> int:
    statuses = get_statuses(dependencies)
    if options.json:
        print(json.dumps([status.as_dict() for status in statuses], indent=1))
    else:
        for status in statuses:
            print(status.summary())
    return 0 if all(status.is_available for status in statuses) else 1


def _env(dependencies: list[Dependency], options: argparse.Namespace) -> int:
    statuses = get_statuses(dependencies)
    for name, value in environment(statuses, for_timba=not options.tests).items():
        print(f"export {name}={shlex.quote(value)}")
    if options.names:
        return _print_errors(
            {
                status.dependency.name: status.reason
                for status in statuses
                if not status.is_available
            }
        )
    if options.tests or any(status.instance for status in statuses):
        return 0
    return _print_errors({"": "No server is up. Bring them up first: tools/services up"})


def _run(dependencies: list[Dependency], options: argparse.Namespace) -> int:
    if not options.program:
        return _print_errors({"": "Say what to run: tools/services run … -- command"})
    return run_with_servers(dependencies, options.program, for_timba=not options.tests)


def _print_errors(reasons: dict[str, str]) -> int:
    for reason in reasons.values():
        print(reason, file=sys.stderr)
    return 1 if reasons else 0
