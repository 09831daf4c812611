"""Files as callers send them."""

from __future__ import annotations

import gzip
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from tests.contract.conftest import Work

FOUR = (
    "7,21.50,2026-01-01T12:00:00Z\n"
    "7,-3.25,2026-01-02T12:00:00Z\n"
    "7,4,2026-01-03T12:00:00Z\n"
    "9,0.01,2026-01-01T12:00:00Z\n"
)
DOORS = {"/upload/": "file", "/api/files/": "file", "/api/upload/": "files"}


def sent(data: bytes | str, name: str = "readings.csv") -> SimpleUploadedFile:
    """Return a file for a multipart form."""
    return SimpleUploadedFile(name, data.encode() if isinstance(data, str) else data)


def zipped(data: bytes | str, name: str = "readings.csv.gz") -> SimpleUploadedFile:
    """Return a file for a multipart form, compressed."""
    return sent(gzip.compress(data.encode() if isinstance(data, str) else data, mtime=0), name)


def photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **saved: Any) -> bytes:
    """Return the bytes of a small photo."""
    stream = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(stream, kind, **saved)
    return stream.getvalue()


def upload(program: APIClient, file: Any, url: str = "/upload/") -> Any:
    return program.post(url, {DOORS[url]: file}, format="multipart")


def settled(program: APIClient, work: Work, data: bytes | str) -> dict[str, Any]:
    """Send a temperature file, have it processed, and return the file."""
    answer = upload(program, sent(data))
    assert answer.status_code == 201
    assert work() == 1
    file: dict[str, Any] = program.get(f"/api/files/{answer.json()['file_id']}/").json()
    return file


def pdf() -> bytes:
    """Return the bytes of a PDF with one page, nine characters, a title, an author and a date."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
        b"4 0 obj<</Length 41>>stream\n"
        b"BT /F1 12 Tf 10 100 Td (Invoice 7) Tj ET \nendstream endobj\n"
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
        b"6 0 obj<</Title(Invoice)/Author(Marta)/CreationDate(D:20260102030405Z)>>endobj\n"
        b"trailer<</Root 1 0 R/Info 6 0 R>>\n%%EOF\n"
    )


def add(program: APIClient, file: Any, **fields: Any) -> dict[str, Any]:
    """Upload one file; return it as it was answered."""
    answer = program.post("/api/files/", {"file": file, **fields}, format="multipart")
    assert answer.status_code == 201, answer.content
    said: dict[str, Any] = answer.json()
    return said


def one(program: APIClient, file: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = program.get(f"/api/files/{file['id']}/").json()
    return said
