"""A small Timba that may end at any moment: its program, its worker, its sweeper, its relay.

What the program was answered is kept in a file, so that after a crash it knows, as a real one
would, what it has to send again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from timba.api.models import IdempotentRequest
from timba.events.messages import Message
from timba.events.models import RelayLease
from timba.events.publishers import Delivery
from timba.events.relay import CycleResult, Relay
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import QUEUES, next_waiting
from timba.files.storage import LocalStorage
from timba.files.sweeping import claim_unnotified, sweep_files
from timba.files.tasks import notify_workers

TRIES = 4
TRY_AGAIN = "try again"


class World:
    """One case's database and store, and everybody who works there."""

    def __init__(self, folder: Path, *, token: str) -> None:
        self.folder = folder
        connection.settings_dict["NAME"] = str(folder / "timba.sqlite3")
        settings.TIMBA_DATA_DIR = folder
        self.store = storages["default"]
        if isinstance(self.store, LocalStorage):
            self.store.location = folder / "files"
        else:
            self.store.bucket = folder.name
        self._client = Client(
            raise_request_exception=False,
            headers={"authorization": f"Bearer {token}"},
            SERVER_NAME="localhost",
        )
        self._answers = folder / "answers"
        self.acked: dict[str, dict[str, Any]] = {}
        self.failures: list[str] = []
        if self._answers.exists():
            for line in self._answers.read_text().splitlines():
                self.acked.update(json.loads(line))

    # --- The program ----------------------------------------------------------------------------

    def upload(self, step: str, name: str, content: bytes, *, door: str = "/api/files/") -> str:
        """Send a file under the step's key until it is acknowledged; return its id."""
        sent = {"sha256": hashlib.sha256(content).hexdigest()}
        answer = self._until_done(
            step,
            lambda: self._client.post(
                door,
                {"file": SimpleUploadedFile(name, content)},
                headers={"Idempotency-Key": step},
            ),
            good={200, 201},
            kept=sent,
        )
        return str(answer["body"].get("file_id") or answer["body"]["id"])

    def repeat(self, step: str, name: str, content: bytes, *, door: str) -> str:
        """Send a file again that was acknowledged, as a program that does not trust its answer."""
        del self.acked[step]
        return self.upload(step, name, content, door=door)

    def retry(self, step: str, file_id: str) -> None:
        """Have a failure processed again; 409 says that it is not one any more."""
        url = f"/api/files/{file_id}/retry/"
        self._until_done(step, lambda: self._client.post(url), good={202, 409})

    def delete(self, step: str, file_id: str) -> None:
        """Delete a file; 404 says that it was deleted before."""
        url = f"/api/files/{file_id}/"
        self._until_done(step, lambda: self._client.delete(url), good={204, 404})

    def get(self, path: str) -> Any:
        return self._client.get(path)

    def _until_done(
        self, step: str, ask: Any, *, good: set[int], kept: dict[str, str] | None = None
    ) -> dict[str, Any]:
        if step in self.acked:
            return self.acked[step]
        for _ in range(TRIES):
            answer = ask()
            if answer.status_code >= 500 and answer.status_code != 503:
                self.failures.append(f"{step} was answered {answer.status_code}")
            if answer.status_code in good:
                body = json.loads(answer.content) if answer.content else None
                self.acked[step] = {**(kept or {}), "status": answer.status_code, "body": body}
                with self._answers.open("a") as file:
                    file.write(json.dumps({step: self.acked[step]}) + "\n")
                return self.acked[step]
        raise AssertionError(f"{step}: {answer.status_code} {answer.content!r}")

    # --- Everybody else -------------------------------------------------------------------------

    def work(self) -> None:
        """Process what waits, as the embedded worker does: trouble with one file is not its end."""
        while (file_id := next_waiting()) is not None:
            try:
                process_file(file_id)
            except Exception as trouble:  # noqa: BLE001 - as the worker's own loop
                print(f"processing_interrupted {trouble!r}", flush=True)
        close_sandbox()

    def sweep(self) -> None:
        """Sweep as the workers do: a database that is out of service ends no more than a round."""
        try:
            sweep_files()
        except Exception as trouble:  # noqa: BLE001 - as the worker's own loop
            print(f"sweep_interrupted {trouble!r}", flush=True)
        for queue in QUEUES:
            notify_workers(claim_unnotified(queue=queue, queued_messages=0))

    def relay(self) -> None:
        """Send what is to be sent."""
        publisher = LogPublisher(self.folder / "published")
        relay = Relay(open_publisher=lambda: publisher)
        for _ in range(10):
            if relay.run_once() is CycleResult.IDLE:
                break
        relay.close()

    @transaction.atomic
    def wait(self, time: timedelta) -> None:
        """Let time pass: everything that was is that much longer ago."""
        for model, fields in (
            (
                File.unscoped,
                ("uploaded_at", "touched_at", "lease_until", "notified_at", "deleted_at"),
            ),
            (Derivative.objects, ("created_at",)),
            (IdempotentRequest.objects, ("created_at", "expires_at")),
            (RelayLease.objects, ("expires_at",)),
        ):
            model.update(**{field: F(field) - time for field in fields})

    def objects(self) -> set[str]:
        """Return everything in the store, finished or not."""
        if isinstance(self.store, LocalStorage):
            place = self.store.location
            return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
        bucket = {"Bucket": self.store.bucket}
        listed = self.store.client.list_objects_v2(**bucket)
        assert not listed["IsTruncated"]
        begun = self.store.client.list_multipart_uploads(**bucket)
        return {one["Key"] for one in listed.get("Contents") or ()} | {
            f"unfinished/{one['Key']}" for one in begun.get("Uploads") or ()
        }


class LogPublisher:
    """Keeps what was delivered in a file, which outlives the relay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        with self._path.open("a") as file:
            for message in messages:
                facts = {"key": message.key, "type": message.headers["ce_type"]}
                facts["sequence"] = message.headers["ce_sequence"]
                file.write(json.dumps(facts) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return [Delivery.ACKED] * len(messages)

    def close(self) -> None:
        """Nothing is ever under way."""
