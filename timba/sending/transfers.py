"""Sends one file, in chunks that are resumed after any cut (tus 1.0.0, https://tus.io)."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from timba.sending.connection import Interrupted, Refused, Server
from timba.sending.unfinished import UnfinishedUpload

CHUNK_BYTES: Final = 8 * 1024 * 1024
_TUS: Final = {"Tus-Resumable": "1.0.0"}
_CHUNK: Final = {**_TUS, "Content-Type": "application/offset+octet-stream"}
# Refusals after which sending the same bytes again is of no use.
ABOUT_THE_FILE: Final = frozenset({400, 413, 415})
_FILTERS: Final = {"consignment_id", "kind"}
_GONE: Final = frozenset({404, 410})
# The server is at another offset, or another process of ours writes to the same upload.
_OUT_OF_STEP: Final = frozenset({404, 409, 410, 423})
# The header of the last answer.
FILE_ID: Final = "Timba-File-Id"
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A file that is in Timba: `is_new` unless it was there before."""

    file_id: str
    is_new: bool = True


class _State(NamedTuple):
    """What tells that a file has changed, or that another one has its name."""

    device: int
    inode: int
    size: int
    changed_at: int  # in nanoseconds


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One file to send, with what the server is told of it, such as its consignment."""

    server: Server
    path: Path
    details: Mapping[str, str] = field(default_factory=dict)

    def send(self, progress: Progress = lambda _sent: None) -> Sent:
        """Send the file unless its bytes are in Timba already; `progress` gets the bytes so far.

        Raises Refused with the server's sentence, Interrupted, after which the next call resumes,
        SignInRefused, and OSError where the file cannot be read.
        """
        with self.path.open("rb") as stream:
            state = _state(os.fstat(stream.fileno()))
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            told = (f"{name}={value}" for name, value in sorted(self.details.items()))
            server = self.server
            upload = UnfinishedUpload(server.url, server.username, sha256, self.path.name, *told)
            earlier = self._find(sha256)
            try:
                file_id = earlier or self._resume(upload, stream, state, progress)
            except Refused as refusal:
                if refusal.status in ABOUT_THE_FILE:
                    upload.forget()
                raise
            upload.forget()
            self._check_unchanged(state)
        return Sent(file_id=file_id, is_new=earlier is None)

    def _check_unchanged(self, state: _State) -> None:
        """Raise Interrupted where the file is not the one that is, or was, sent."""
        if _state(self.path.stat()) != state:
            raise Interrupted(f"“{self.path.name}” changed while it was sent.")

    def _find(self, sha256: str) -> str | None:
        """Return the id of a file with these bytes, consignment and kind, or None."""
        asked = {name: self.details[name] for name in _FILTERS & self.details.keys()}
        params = {"sha256": sha256, "limit": 1, **asked}
        found = self.server.request("GET", "api/files/", params=params)
        results = found.json()["results"]
        return str(results[0]["id"]) if results else None

    def _resume(
        self, upload: UnfinishedUpload, stream: BinaryIO, state: _State, progress: Progress
    ) -> str:
        """Send what the server lacks; return the id of the file."""
        address = upload.find()
        answer = None if address is None else self._ask(address)
        if address is None or answer is None:
            answer = self._create(state.size)
            address = answer["Location"]
            upload.remember(address)
        while FILE_ID not in answer:
            offset = int(answer.get("Upload-Offset", 0))
            progress(offset)
            stream.seek(offset)
            chunk = stream.read(CHUNK_BYTES)
            self._check_unchanged(state)
            answer = self._append(address, chunk, offset)
        progress(state.size)
        return answer[FILE_ID]

    def _create(self, size: int) -> Mapping[str, str]:
        headers = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": self._metadata()}
        return self.server.request("POST", "api/files/tus/", headers=headers).headers

    def _ask(self, address: str) -> Mapping[str, str] | None:
        """Return how far an upload has come, or None where the server has dropped it."""
        try:
            return self.server.request("HEAD", address, headers=_TUS).headers
        except Refused as refusal:
            if refusal.status in _GONE:
                return None
            if refusal.status in _OUT_OF_STEP:
                raise Interrupted(str(refusal)) from refusal
            raise

    def _append(self, address: str, chunk: bytes, offset: int) -> Mapping[str, str]:
        headers = {**_CHUNK, "Upload-Offset": str(offset)}
        try:
            return self.server.request("PATCH", address, data=chunk, headers=headers).headers
        except Refused as refusal:
            if refusal.status in _OUT_OF_STEP:
                raise Interrupted(str(refusal)) from refusal
            raise

    def _metadata(self) -> str:
        """Return `Upload-Metadata`: names with values in Base64."""
        fields = {"filename": self.path.name, **self.details}
        return ",".join(
            f"{name} {base64.b64encode(value.encode('utf-8', 'replace')).decode()}"
            for name, value in fields.items()
        )


def _state(facts: os.stat_result) -> _State:
    return _State(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
