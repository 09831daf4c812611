"""What the processes of an installation under test do: fill it, write to it, read all of it."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import orjson
from django.conf import settings
from django.core.management import call_command
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.endpoints import API, ID, Endpoint
from tests.factories import StaffFactory, create_tenant
from tests.files.samples import pdf, photo
from tests.tallies.sheets import tally
from timba.accounts.models import Client, Role, User
from timba.accounts.tokens import issue_tokens
from timba.consignments.models import Consignment, Log
from timba.consignments.services import recount_consignment
from timba.events.models import OutboxEvent
from timba.files.models import File, ImportProfile
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import next_waiting
from timba.files.services import delete_file
from timba.files.sweeping import sweep_files
from timba.notes.models import Note
from timba.notes.services import change_note, write_note
from timba.places.models import City
from timba.runtime.backup_format import ObjectEntry
from timba.runtime.object_copies import copy_object

WORDS: Final = ("Kalnamuiza", "Dzirnupe")
_ROWS_READ: Final = 8
# Times of rendering and the current epoch differ between two readings of the same data.
_EPOCH: Final = re.compile(r"after=\d+\.")
_VARYING: Final = ("health/", "metrics", "api/schema/", "api/docs/", "tally.pdf", "tally.xlsx")


def fill() -> None:
    """Create staff and two clients with rows of every noun and files of every kind."""
    StaffFactory(username="staff")
    for number, word in enumerate(WORDS, start=1):
        tenant = create_tenant(word=word, first_id=number * 1_000_001)
        recount_consignment(tenant.consignment)
        for name, content in (
            ("load.jpg", photo((64, 48))),
            ("permit.pdf", pdf()),
            ("gate.txt", f"Seal of {word}: ✓ ļ 木\n".encode()),
            ("tally.xlsx", tally((f"{word} 1", 4, 30, 30.5), ("", "x", 1, 1))),
            ("empty.csv", b"7,nonsense\n"),
        ):
            receive(tenant.user, name, content, consignment=tenant.consignment)
    work()


def receive(user: User, name: str, content: bytes, **links: Any) -> File:
    """Upload a file."""
    assert user.client is not None
    upload = Upload(name=name)
    upload.write(content)
    upload.finish()
    upload.identify(kind="temperatures" if name.endswith(".csv") else None)
    [accepted] = accept_files(actor=user, client=user.client, uploads=[upload], **links)
    return accepted.file


def work() -> None:
    """Process all waiting files."""
    while (file_id := next_waiting()) is not None:
        process_file(file_id)
    close_sandbox()


def write_until(stop: Path, *, word: str, per_second: float) -> None:
    """Write notes, and upload, delete and erase files, until there is a file `stop`."""
    settings.TIMBA_TRASH_DAYS = 0
    user = User.unscoped.get(username=f"{word}-1")
    assert user.client is not None
    uploaded: list[File] = []
    writes: list[Callable[[], object]] = [
        lambda: write_note(actor=user, client=user.client, title="new"),
        lambda: change_note(
            actor=user,
            note=Note.unscoped.filter(client=user.client).latest("pk"),
            title=f"at {time.time()}",
            content="",
            consignment=None,
        ),
        lambda: uploaded.append(receive(user, "gate.txt", f"{time.time()}".encode())),
        lambda: delete_file(actor=user, file=uploaded.pop(0)) if len(uploaded) > 5 else None,
        sweep_files,
    ]
    started, count = time.monotonic(), 0
    while not stop.exists():
        writes[count % len(writes)]()
        count += 1
        time.sleep(max(0.0, count / per_second - (time.monotonic() - started)))
    print(f"{count} writes in {time.monotonic() - started:.1f} s")


def make_backup_until_killed(folder: Path) -> None:
    """Start a backup; this process is killed when it has copied one object."""
    copies = itertools.count(1)

    def copy_or_be_killed(*arguments: Any, **options: Any) -> ObjectEntry:
        if next(copies) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return copy_object(*arguments, **options)

    with patch("timba.runtime.backup.copy_object", copy_or_be_killed):
        call_command("backup", str(folder))


def print_reads() -> None:
    """Print what every user reads of every endpoint, a JSON array a line."""
    for user in User.unscoped.order_by("pk"):
        client = api_client_of(user)
        for endpoint, ids in _reads():
            body = {
                name: ids[name] if value is ID else value for name, value in endpoint.body.items()
            }
            response = client.get(endpoint.url(ids), body, SERVER_NAME="localhost")
            content = response.getvalue()
            if response["Content-Type"].startswith("application/json"):
                text = _EPOCH.sub("after=", content.decode())
            else:
                text = hashlib.sha256(content).hexdigest()
            line = [user.username, endpoint.url(ids), body, response.status_code, text]
            print(orjson.dumps(line, default=str).decode())


def print_token() -> None:
    """Print a token of a user."""
    print(issue_tokens(user=_user()).access)


def use_restored(token: str) -> None:
    """Assert that this token of before the restore is refused, and that events have a new epoch."""
    old = APIClient(headers={"authorization": f"Bearer {token}"})
    assert old.get("/api/notes/", SERVER_NAME="localhost").status_code == 401
    new = api_client_of(_user())
    note = new.post("/api/notes/", {"title": "After the restore"}, SERVER_NAME="localhost")
    assert note.status_code == 201
    events = OutboxEvent.objects.filter(client_id=_user().client_id).order_by("sequence")
    *earlier, newest = events.values_list("epoch", flat=True)
    assert newest > max(earlier)


def _user() -> User:
    return User.unscoped.get(username=f"{WORDS[0]}-1")


def _reads() -> Iterator[tuple[Endpoint, dict[str, Any]]]:
    nouns = {
        "client_id": Client,
        "user_id": User,
        "role_id": Role,
        "consignment_id": Consignment,
        "log_id": Log,
        "file_id": File,
        "note_id": Note,
        "import_profile_id": ImportProfile,
    }
    values: dict[str, list[Any]] = {
        # UUIDs are in another order on MariaDB.
        name: sorted(model.unscoped.values_list("pk", flat=True))[:_ROWS_READ]
        for name, model in nouns.items()
    }
    values["city_id"] = list(City.unscoped.order_by("pk").values_list("number", flat=True))
    values["task_id"] = sorted(File.unscoped.values_list("task_id", flat=True))[:_ROWS_READ]
    for endpoint in API:
        if endpoint.method != "GET" or any(part in endpoint.path for part in _VARYING):
            continue
        names = [
            *endpoint.parameters,
            *(name for name, value in endpoint.body.items() if value is ID),
        ]
        if not names:
            yield endpoint, {}
        for value in values[names[0]] if names else ():
            yield endpoint, {names[0]: value}
