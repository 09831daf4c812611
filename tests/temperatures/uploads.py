"""Sends temperature files in the way every door does, and has them processed for real."""

from __future__ import annotations

from timba.accounts.models import User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import UploadSession, accept_files, identify


def receive_readings(data: bytes | str, *, actor: User, name: str = "readings.csv") -> File:
    """Send a file in: it waits to be processed."""
    reception = UploadSession(name=name)
    reception.write(data.encode() if isinstance(data, str) else data)
    received = reception.finish()
    identify(received, kind="temperatures")
    (accepted,) = accept_files(actor=actor, client=actor.client, received=[received])
    return accepted.file


def settle_readings(data: bytes | str, *, actor: User, name: str = "readings.csv") -> File:
    """Send a file in and process it."""
    file = receive_readings(data, actor=actor, name=name)
    assert process_file(file.pk)
    file.refresh_from_db()
    return file
