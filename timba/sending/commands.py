"""The commands `timba upload` and `timba watch`, which need no settings and no database."""

from __future__ import annotations

import argparse
import getpass
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from timba.sending.connection import Interrupted, Refused, Server, SignInRefused, Unavailable
from timba.sending.folder import DONE, REFUSED, FolderInUse, WatchedFolder
from timba.sending.paths import find_files
from timba.sending.transfers import ABOUT_THE_FILE, Sent, Transfer

COMMANDS: Final = {
    "upload": "Send files and folders to a Timba server; what is there already is left out.",
    "watch": "Send each file that is put into a folder, until SIGTERM or Ctrl-C.",
}
_DESCRIPTION: Final = (
    "The password is taken from TIMBA_PASSWORD, or asked for. An upload that is cut off resumes "
    "where it was, also when the command is run again."
)
_KINDS: Final = ("photo", "document", "text", "temperatures", "tally")
_GIVE_UP_SECONDS: Final = 300.0
_MAX_PAUSE_SECONDS: Final = 30.0
_SCAN_SECONDS: Final = 2.0
_DETAILS: Final = {"consignment": "consignment_id", "kind": "kind", "city": "city_id"}


def run(arguments: Sequence[str]) -> int:
    """Run `upload …` or `watch …`; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        server = _server(options)
        details = {
            name: str(value)
            for option, name in _DETAILS.items()
            if (value := getattr(options, option)) is not None
        }
        if options.command == "upload":
            return _upload(server, options.paths, details)
        return _watch(server, options.folder, details, still_seconds=options.still)
    except (SignInRefused, Refused, Unavailable, FolderInUse) as error:
        _warn(str(error))
    except OSError as error:
        _warn(_name(error))
    except KeyboardInterrupt:
        _warn("Stopped. The same command sends the rest.")
        return 128 + signal.SIGINT
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="timba")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, sentence in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, description=f"{sentence} {_DESCRIPTION}")
        command.add_argument(
            "--server", default=os.environ.get("TIMBA_URL"), help="address; default: TIMBA_URL"
        )
        command.add_argument(
            "--username",
            default=os.environ.get("TIMBA_USERNAME"),
            help="who sends them; default: TIMBA_USERNAME",
        )
        command.add_argument("--consignment", type=int, metavar="ID", help="what they belong to")
        command.add_argument("--kind", choices=_KINDS, help="default: detected from each file")
        command.add_argument(
            "--city", type=int, metavar="NUMBER", help="of temperature files without a city"
        )
        if name == "upload":
            command.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        else:
            command.add_argument("folder", type=Path, metavar="FOLDER")
            command.add_argument(
                "--still",
                type=float,
                default=10.0,
                metavar="SECONDS",
                help="a file is complete when it has not changed for so long; default: 10",
            )
    return parser


def _server(options: argparse.Namespace) -> Server:
    for name, variable in (("server", "TIMBA_URL"), ("username", "TIMBA_USERNAME")):
        if not getattr(options, name):
            raise SignInRefused(f"Give --{name}, or set {variable}.")
    password = os.environ.get("TIMBA_PASSWORD")
    if password is None:
        if not sys.stdin.isatty():
            raise SignInRefused("Set TIMBA_PASSWORD: there is no terminal to ask for it.")
        password = getpass.getpass(f"Password of {options.username}: ")
    return Server(options.server, username=options.username, password=password)


def _upload(server: Server, paths: Sequence[Path], details: Mapping[str, str]) -> int:
    """Send the files, and print what became of each; return 1 unless all are in Timba.

    Raises Unavailable at once for a server that cannot be reached at the beginning.
    """
    server.sign_in()
    sent = left_out = failed = 0
    try:
        for path in find_files(paths):
            try:
                outcome = _send_with_bar(Transfer(server=server, path=path, details=details))
            except Unavailable as error:
                raise Unavailable(f"{error} The same command sends the rest.") from error
            except (Refused, Interrupted, OSError) as error:
                failed += 1
                tqdm.write(f"not sent: {path}: {_explain(error)}")
                continue
            sent, left_out = sent + outcome.is_new, left_out + (not outcome.is_new)
            tqdm.write(f"{'sent' if outcome.is_new else 'there already'}: {path}")
    finally:
        print(f"{sent} sent, {left_out} there already, {failed} not sent.")  # noqa: T201 - the answer
    return 1 if failed else 0


def _send_with_bar(transfer: Transfer) -> Sent:
    """Send a file, and again after interruptions until nothing has come through for 5 minutes."""
    size = transfer.path.stat().st_size
    with tqdm(
        total=size, desc=transfer.path.name, unit="B", unit_scale=True, leave=False, disable=None
    ) as bar:
        reached, reached_at, pause, reason = 0, time.monotonic(), 1.0, ""

        def progress(count: int) -> None:
            nonlocal reached, reached_at, pause
            bar.update(count - bar.n)
            if count > reached:
                reached, reached_at, pause = count, time.monotonic(), 1.0

        while True:
            try:
                return transfer.send(progress)
            except Interrupted as error:
                if time.monotonic() - reached_at > _GIVE_UP_SECONDS:
                    raise
                if str(error) != reason:
                    reason = str(error)
                    _warn(f"waiting: {reason}")
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def _explain(error: Exception) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) and error.strerror else str(error)


def _name(error: Exception) -> str:
    """Return the sentence of an error, with the name of the file that it is about."""
    if isinstance(error, OSError) and error.filename:
        return f"“{error.filename}”: {_explain(error)}"
    return _explain(error)


def _warn(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def _watch(server: Server, path: Path, details: Mapping[str, str], *, still_seconds: float) -> int:
    """Send what is put into the folder until SIGTERM or Ctrl-C."""
    stopping = threading.Event()

    def stop(*_: Any) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    folder = WatchedFolder(path, still_seconds=still_seconds)
    reason = ""
    with folder.locked():
        while not stopping.is_set():
            try:
                _send_complete_files(folder, server, details, stopping)
                reason = ""
            except (Interrupted, OSError) as error:
                if (told := _name(error)) != reason:
                    reason = told
                    _tell(f"waiting: {reason}")
            stopping.wait(_SCAN_SECONDS)
    return 0


def _send_complete_files(
    folder: WatchedFolder, server: Server, details: Mapping[str, str], stopping: threading.Event
) -> None:
    def progress(_sent: int) -> None:
        if stopping.is_set():
            raise Interrupted("It stops; the rest is sent after the next start.")

    unreadable = []
    for file in folder.complete_files():
        if stopping.is_set():
            return
        try:
            outcome = Transfer(server=server, path=file, details=details).send(progress)
        except OSError as error:
            unreadable.append(_name(error))
        except Refused as refusal:
            if refusal.status not in ABOUT_THE_FILE:
                # Such as a lapsed subscription: nothing is wrong with the file.
                raise Interrupted(str(refusal)) from refusal
            folder.move(file, REFUSED, sentence=str(refusal))
            _tell(f"refused: {file.name}: {refusal}")
        else:
            folder.move(file, DONE)
            _tell(f"{'sent' if outcome.is_new else 'there already'}: {file.name}")
    if unreadable:
        raise Interrupted(" ".join(unreadable))


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the log of this program
