"""A small installation that may crash at any moment: a program, a worker, a sweeper, a relay.

The program keeps its responses in a file: after a crash it knows which requests to repeat.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import DateTimeField, F
from django.http import HttpResponse
from django.test import Client

from tests.contract.tus import Tus, checksum
from tests.files.samples import photo
from tests.temperatures.older_objects import make_older
from timba.api.models import IdempotentRequest
from timba.events.leased_process import CycleResult
from timba.events.messages import Message
from timba.events.models import ProcessLease
from timba.events.publishers import Delivery
from timba.events.relay import Relay
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.resumable.models import ResumableUpload
from timba.files.s3 import S3Storage
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import QUEUES, next_waiting
from timba.files.storage import LocalStorage
from timba.files.sweeping import claim_unnotified, sweep_files
from timba.files.tasks import notify_workers
from timba.temperatures.lake.follower import Follower

READINGS: Final = b"42,1.00,2026-11-01T00:00:00Z\n42,hot,2026-11-01\n42,2.01,2026-11-02T00:00:00Z\n"
# Two parts of an S3 upload, ten chunks of a request; long lines are read quickly.
LARGE: Final = b"%s\n" % (b"larch" * 10_000) * 180
# What is sent of a large file at once, in parts.
PART_BYTES: Final = 4_000_000
# What the program uploads in its steps: a kind, a name and a content.
UPLOADS: Final[Mapping[str, tuple[str, str, bytes]]] = {
    "readings": ("temperatures", "yard.csv", READINGS),
    "duplicate": ("temperatures", "yard again.csv", READINGS),
    "deleted": ("temperatures", "yard.csv", READINGS),
    "hopeless": ("temperatures", "hopeless.csv", b"42,hot,2026-11-01\n"),
    "text": ("text", "gate.txt", b"Seal 88412 intact.\n"),
    "lost": ("text", "lost.txt", b"Seal 88413 intact.\n"),
    "large": ("text", "log book.txt", LARGE),
    "parts": ("text", "log book.txt", LARGE),
    "photo": ("photo", "load.jpg", photo((640, 480))),
}


class Accepted(HttpResponse):
    """The response to an upload in parts, which tells no more than its file's id."""

    def json(self) -> Any:
        return json.loads(self.content)


class Installation:
    """Every process that works on one database and store."""

    def __init__(self, folder: Path, store: LocalStorage | S3Storage) -> None:
        self.folder = folder
        self.store = store
        headers = {"authorization": f"Bearer {(folder / 'token').read_text()}"}
        self.client = Client(raise_request_exception=False, headers=headers)
        self._responses = folder / "responses"

    @property
    def acknowledged(self) -> dict[str, Any]:
        """The body of the final response to each step's request."""
        return dict(json.loads(line) for line in self._responses.read_text().splitlines())

    def upload(self, step: str) -> str:
        """Upload a step's file until it is accepted; return its id."""
        # 200 is the response to a duplicate.
        return str(self.repeat(step, partial(self.send_file, step), final=(201, 200))["id"])

    def send_file(self, step: str) -> Any:
        """Upload a step's file once, with the step as idempotency key; return the response."""
        kind, name, content = UPLOADS[step]
        if step == "parts":
            return self._send_parts(step)
        form = {"kind": kind, "file": SimpleUploadedFile(name, content)}
        return self.client.post("/api/files/", form, headers={"Idempotency-Key": step})

    def give_up_parts(self) -> None:
        """Begin an upload in parts, and delete it."""

        def begin_and_delete() -> Any:
            tus = Tus(self.client)
            created = tus.create(len(LARGE), LARGE[:100], headers={"Idempotency-Key": "given up"})
            return (
                created if created.status_code != 201 else tus.send("DELETE", created["Location"])
            )

        # 404: it was deleted before.
        self.repeat("given up", begin_and_delete, final=(204, 404))

    def _send_parts(self, step: str) -> Any:
        """Send the rest of a large file in parts, of which the second has a checksum."""
        tus, content = Tus(self.client), UPLOADS[step][2]
        response = tus.create(len(content), headers={"Idempotency-Key": step})
        if response.status_code != 201:
            return response
        url = response["Location"]
        while (response := tus.send("HEAD", url)).status_code == 200:
            if file_id := response.headers.get("Timba-File-Id"):
                return Accepted(json.dumps({"id": file_id}), status=201)
            offset = int(response["Upload-Offset"])
            part = content[offset : offset + PART_BYTES]
            verified = checksum("sha1", part) if offset == PART_BYTES else {}
            response = tus.patch(url, offset, part, **verified)
            if response.status_code != 204:
                break
        return response

    def repeat(self, step: str, send: Callable[[], Any], *, final: Collection[int]) -> Any:
        """Send a request until its response has one of the final statuses; return the body."""
        for _ in range(4):
            if step in self.acknowledged:
                break
            response = send()
            assert response.status_code < 500 or response.status_code == 503, response.content
            if response.status_code in final:
                body = json.loads(response.content or b"{}")
                with self._responses.open("a") as file:
                    file.write(json.dumps([step, body]) + "\n")
        return self.acknowledged[step]

    def work(self) -> None:
        """Process all waiting files as the embedded worker does."""
        while (file_id := next_waiting()) is not None:
            _log_exception(process_file, file_id)
        close_sandbox()

    def sweep(self) -> None:
        """Sweep once as the workers do."""
        _log_exception(sweep_files)
        for queue in QUEUES:
            notify_workers(claim_unnotified(queue=queue, queued_messages=0))

    def relay(self) -> None:
        """Publish all pending events."""
        publisher = FilePublisher(self.folder / "published")
        relay = Relay(open_publisher=lambda: publisher)
        for _ in range(10):
            if relay.run_once() is CycleResult.IDLE:
                break
        relay.close()

    def lake(self) -> None:
        """Bring the lake up to date, whose first object an earlier version wrote."""
        older = self.folder / "older"
        if not older.exists():
            make_older(File.unscoped.get(pk=self.acknowledged["readings"]["id"]))
            older.touch()
        _log_exception(Follower().catch_up)

    @transaction.atomic
    def wait(self, time: timedelta) -> None:
        """Let time pass: move every stored time back by that much."""
        for model in (File, Derivative, ResumableUpload, IdempotentRequest, ProcessLease):
            times = [f.name for f in model._meta.fields if isinstance(f, DateTimeField)]
            model._base_manager.update(**{name: F(name) - time for name in times})


@dataclass
class FilePublisher:
    """A publisher that appends to a file, which outlives the relay."""

    path: Path

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        with self.path.open("a") as file:
            for message in messages:
                file.write(json.dumps({"key": message.key, **message.headers}) + "\n")
        return [Delivery.ACKED] * len(messages)

    def close(self) -> None:
        """Nothing is ever in flight."""


def _log_exception(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function as the worker's loop does, which an error does not end."""
    try:
        function(*arguments)
    except Exception:  # noqa: BLE001 - as in that loop
        traceback.print_exc()
