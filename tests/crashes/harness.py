"""A small installation that may crash at any moment: a program, a worker, a sweeper, a relay.

The program keeps the responses it got in a file, so that after a crash it knows, as a real one
would, which requests it has to repeat.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
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

_TRIES = 4


class Installation:
    """The database and the store of one case, and every process that works on them."""

    def __init__(self, folder: Path, *, token: str) -> None:
        self.folder = folder
        connection.settings_dict["NAME"] = str(folder / "timba.sqlite3")
        settings.TIMBA_DATA_DIR = folder
        self.store = storages["default"]
        if isinstance(self.store, LocalStorage):
            self.store.location = folder / "files"
        else:
            self.store.bucket = folder.name
        headers = {"authorization": f"Bearer {token}"}
        self.client = Client(
            raise_request_exception=False, headers=headers, SERVER_NAME="localhost"
        )
        self.server_errors: list[str] = []
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self._responses = folder / "responses"
        if self._responses.exists():
            for line in self._responses.read_text().splitlines():
                self.acknowledged.update(json.loads(line))

    def upload(self, step: str, name: str, content: bytes, *, url: str = "/api/files/") -> str:
        """Upload a file with the step's idempotency key until it is accepted; return its id."""

        def post() -> Any:
            form = {"file": SimpleUploadedFile(name, content)}
            return self.client.post(url, form, headers={"Idempotency-Key": step})

        digest = hashlib.sha256(content).hexdigest()
        # 200 is the response to a duplicate.
        response = self._repeat_until(step, post, (201, 200), sha256=digest)
        return str(response["body"].get("file_id") or response["body"]["id"])

    def retry(self, step: str, file_id: str) -> None:
        """Have a failed file processed again; 409 means that it has not failed (any more)."""
        retry = partial(self.client.post, f"/api/files/{file_id}/retry/")
        self._repeat_until(step, retry, (202, 409))

    def delete(self, step: str, file_id: str) -> None:
        """Delete a file; 404 means that it was deleted before."""
        delete = partial(self.client.delete, f"/api/files/{file_id}/")
        self._repeat_until(step, delete, (204, 404))

    def _repeat_until(
        self, step: str, request: Callable[[], Any], final: Collection[int], **facts: str
    ) -> dict[str, Any]:
        if step in self.acknowledged:
            return self.acknowledged[step]
        for _ in range(_TRIES):
            response = request()
            if response.status_code >= 500 and response.status_code != 503:
                self.server_errors.append(f"{step}: status {response.status_code}")
            if response.status_code in final:
                body = json.loads(response.content) if response.content else None
                self.acknowledged[step] = {**facts, "status": response.status_code, "body": body}
                with self._responses.open("a") as file:
                    file.write(json.dumps({step: self.acknowledged[step]}) + "\n")
                return self.acknowledged[step]
        raise AssertionError(f"{step}: {response.status_code} {response.content!r}")

    def work(self) -> None:
        """Process all waiting files as the embedded worker does: an error does not end it."""
        while (file_id := next_waiting()) is not None:
            try:
                process_file(file_id)
            except Exception as error:  # noqa: BLE001 - as in the worker's loop
                print(f"worker: {error!r}", flush=True)
        close_sandbox()

    def sweep(self) -> None:
        """Sweep once as the workers do: a database error ends no more than this round."""
        try:
            sweep_files()
        except Exception as error:  # noqa: BLE001 - as in the worker's loop
            print(f"sweeper: {error!r}", flush=True)
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

    @transaction.atomic
    def wait(self, time: timedelta) -> None:
        """Let time pass: move every stored time back by that much."""
        file_times = ("uploaded_at", "touched_at", "lease_until", "notified_at", "deleted_at")
        for rows, fields in (
            (File.unscoped, file_times),
            (Derivative.objects, ("created_at",)),
            (IdempotentRequest.objects, ("created_at", "expires_at")),
            (RelayLease.objects, ("expires_at",)),
        ):
            rows.update(**{field: F(field) - time for field in fields})


class FilePublisher:
    """A publisher that appends to a file, which outlives the relay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        with self._path.open("a") as file:
            for message in messages:
                file.write(json.dumps({"key": message.key, **message.headers}) + "\n")
        return [Delivery.ACKED] * len(messages)

    def close(self) -> None:
        """Nothing is ever in flight."""
