"""Files for uploads, and functions that upload them."""

from __future__ import annotations

import gzip
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from tests.contract.conftest import ProcessPending
from tests.files.samples import pdf

FOUR_READINGS = (
    "7,21.50,2026-01-01T12:00:00Z\n"
    "7,-3.25,2026-01-02T12:00:00Z\n"
    "7,4,2026-01-03T12:00:00Z\n"
    "9,0.01,2026-01-01T12:00:00Z\n"
)
UPLOAD_FIELDS = {"/upload/": "file", "/api/files/": "file", "/api/upload/": "files"}


def form_file(data: bytes | str, name: str = "readings.csv") -> SimpleUploadedFile:
    """Return a file for a multipart form."""
    return SimpleUploadedFile(name, data.encode() if isinstance(data, str) else data)


def gzipped_form_file(data: bytes | str, name: str = "readings.csv.gz") -> SimpleUploadedFile:
    """Return a gzip-compressed file for a multipart form."""
    return form_file(gzip.compress(data.encode() if isinstance(data, str) else data, mtime=0), name)


def upload(api_client: APIClient, file: Any, url: str = "/upload/") -> Any:
    return api_client.post(url, {UPLOAD_FIELDS[url]: file}, format="multipart")


def upload_and_process(
    api_client: APIClient, process_pending: ProcessPending, data: bytes | str
) -> dict[str, Any]:
    """Upload a temperature file, process it, and return the file."""
    response = upload(api_client, form_file(data))
    assert response.status_code == 201
    assert process_pending() == 1
    file: dict[str, Any] = api_client.get(f"/api/files/{response.json()['file_id']}/").json()
    return file


def invoice() -> bytes:
    """Return a PDF of nine characters with a title, an author and a date."""
    info = {"Title": "Invoice", "Author": "Marta", "CreationDate": "D:20260102030405Z"}
    return pdf(text="Invoice 7", info=info)


def create_file(api_client: APIClient, file: Any, **fields: Any) -> dict[str, Any]:
    """Upload one file to `/api/files/` and return it as the response describes it."""
    response = api_client.post("/api/files/", {"file": file, **fields}, format="multipart")
    assert response.status_code == 201, response.content
    payload: dict[str, Any] = response.json()
    return payload


def get_file(api_client: APIClient, file: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = api_client.get(f"/api/files/{file['id']}/").json()
    return payload
