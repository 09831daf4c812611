"""Uploads temperature files as every endpoint does, and processes them."""

from __future__ import annotations

from typing import Final

from timba.accounts.models import Client, User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files

# A header that names the unit: temperatures beyond those of any weather leave no question open.
CELSIUS: Final = "city_id,temperature (°C),timestamp\n"


def receive_readings(
    data: bytes | str, *, actor: User, client: Client | None = None, name: str = "readings.csv"
) -> File:
    """Upload a file, by default of the actor's client, which then waits to be processed."""
    upload = Upload(name=name)
    upload.write(data.encode() if isinstance(data, str) else data)
    upload.finish()
    upload.identify(kind="temperatures")
    (accepted,) = accept_files(actor=actor, client=client or actor.client, uploads=[upload])
    return accepted.file


def settle_readings(
    data: bytes | str, *, actor: User, client: Client | None = None, name: str = "readings.csv"
) -> File:
    """Upload a file and process it."""
    file = receive_readings(data, actor=actor, client=client, name=name)
    assert process_file(file.pk)
    file.refresh_from_db()
    return file
