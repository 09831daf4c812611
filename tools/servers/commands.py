"""The command line of `tools/services`: starts servers, runs a command with them, stops them."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tools.servers.cluster import DEPENDENCIES, environment, running

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXAMPLES: Final = """\
  tools/services run --tests -- pytest             start everything, run one command, stop
  tools/services run mariadb redis minio -- bash   a shell whose Timba uses these three
  tools/services run postgres                      until Ctrl-C, for use from another shell
"""


def main(arguments: Sequence[str]) -> int:
    """Run the servers as long as the command; return its exit code.

    Outside CI the command runs even if servers are unavailable; the environment holds the reasons.
    """
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_intermixed_args(arguments[:cut])
    command = arguments[cut + 1 :]
    dependencies = [DEPENDENCIES[name]() for name in options.names or DEPENDENCIES]
    exit_on_signals()
    with running(dependencies, durable=options.durable) as reasons:
        for reason in reasons.values():
            print(reason, file=sys.stderr)
        if reasons and os.environ.get("CI") == "true":
            return 1
        variables = environment(dependencies, reasons, for_timba=not options.tests)
        if command:
            return run_command(command, {**os.environ, **variables})
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        print("# Ctrl-C stops the servers.", flush=True)
        while True:
            signal.pause()


def exit_on_signals() -> None:
    """Exit in order on the first of the signals; later ones do not interrupt the clean-up."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in _STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end, forward signals to it, and return its exit code."""
    try:
        process = subprocess.Popen(command, env=variables)
    except OSError as error:
        print(f"“{command[0]}” cannot be run: {error.strerror}.", file=sys.stderr)
        return 1

    def forward(number: int, _frame: FrameType | None) -> None:
        # The terminal has sent Ctrl-C to the command too.
        if not (number == signal.SIGINT and _is_in_foreground()):
            process.send_signal(number)

    for number in _STOP_SIGNALS:
        signal.signal(number, forward)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _is_in_foreground() -> bool:
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/services",
        usage="%(prog)s run [--tests] [--durable] [name ...] [-- command ...]",
        description="Runs real servers on loopback, without Docker, as long as a command runs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["run"], metavar="run")
    names = ", ".join(DEPENDENCIES)
    parser.add_argument("names", nargs="*", type=_name, metavar="name", help=f"of {names}")
    tests = "set only the variables of the tests: Timba itself keeps its defaults"
    durable = "survive power cuts, as in production: for benchmarks"
    parser.add_argument("--tests", action="store_true", help=tests)
    parser.add_argument("--durable", action="store_true", help=durable)
    return parser


def _name(text: str) -> str:
    if text not in DEPENDENCIES:
        raise argparse.ArgumentTypeError(f"“{text}” is none of {', '.join(DEPENDENCIES)}")
    return text
