"""The command `timba`, which is also `python -m timba` and, in a clone, `manage.py`.

It runs management commands, and the two programs of `timba.sending`. An invalid variable or an
unavailable database ends a management command with one sentence. The list of commands and those two
need neither: the settings, which would create the data folder, are not loaded.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, execute_from_command_line
from django.db import Error

from timba import __version__
from timba.db.errors import is_database_outage
from timba.installation import IMPORT_PATH, IS_CLONE
from timba.runtime.schema import applied_migrations
from timba.sending import commands as sending

# What administrators need, in the order in which they need it; each sentence is the `help` of its
# command.
COMMANDS: Final = {
    "demo": "Run Timba with a demo company until SIGTERM or Ctrl-C.",
    "serve": "Run the web server, the workers and the relay until SIGTERM or Ctrl-C.",
    "work": "Process uploaded files, without a broker, until SIGTERM or Ctrl-C.",
    "ocr": "Read the text in photos and scanned PDFs until SIGTERM or Ctrl-C.",
    "relay": "Publish the events of the outbox to Kafka until SIGTERM or Ctrl-C.",
    "lake": "Keep one Apache Iceberg table of all readings up to date, until SIGTERM or Ctrl-C.",
    "consume": "Print the events of a topic as JSON lines, oldest first, each once.",
    "backup": "Back up all rows and files into a folder, which earlier backups may share.",
    "restore": "Restore a backup into an empty database and an empty store of files.",
    "fsck": "Check that rows, stored files, totals and events agree; exit with 1 if they do not.",
    "make_previews": "Make the previews of photos and PDFs that were processed without.",
    "index_texts": "Read the text of files that were processed before Timba kept texts.",
    "csu": "Create the administrator `admin`; if there is one, change nothing.",
    "changepassword": "Change a user's password, and sign the user out everywhere.",
}
# The most useful commands of Django.
DJANGO_COMMANDS: Final = {
    "check": "Check the settings; `check --deploy --database default` checks everything.",
    "migrate": "Bring the tables of the database up to date.",
    "createsuperuser": "Create another member of staff.",
    "shell": "Open a Python shell with Timba's models.",
}

# What shells return for a program that Ctrl-C has ended.
_INTERRUPTED: Final = 130


def main(program: str = "timba") -> None:
    """Run the management command in `sys.argv`; `program` names this one in its messages.

    Exits with status 1 and one sentence if Timba cannot start.
    """
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["version"]):
        print(__version__)  # noqa: T201 - the answer
    elif arguments in ([], ["help"], ["--help"], ["-h"]):
        print(_list_commands(program))  # noqa: T201 - the answer
    elif arguments[0] in sending.COMMANDS:
        sys.exit(sending.run(arguments))
    elif arguments[0] == "help" and arguments[1] in sending.COMMANDS:
        sys.exit(sending.run([arguments[1], "--help"]))
    else:
        _execute([program, *arguments])


def _list_commands(program: str) -> str:
    def rows(commands: dict[str, str]) -> str:
        return "\n".join(f"  {name:15} {sentence}" for name, sentence in commands.items())

    return (
        f"Timba {__version__}, the system of record for timber companies.\n\n"
        f"Usage: {program} COMMAND [OPTIONS]\n\n"
        f"{rows(COMMANDS)}\n\nOn any machine that reaches a server:\n\n{rows(sending.COMMANDS)}\n\n"
        f"Commands of Django:\n\n{rows(DJANGO_COMMANDS)}\n\n"
        f"`{program} help COMMAND` describes one; `{program} help --commands` lists all of them."
    )


def _execute(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")
    if IS_CLONE:
        # The processes that this one starts find the package there, whatever their folder is.
        others = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(IMPORT_PATH), others)))
    try:
        execute_from_command_line(arguments)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except ImproperlyConfigured as error:
        sys.exit(f"Timba does not start: {error}")
    except Error as error:
        if is_database_outage(error):
            sys.exit(f"Timba does not start: its database cannot be used: {error}")
        try:
            applied_migrations()
        except CommandError as reason:
            sys.exit(str(reason))
        raise
