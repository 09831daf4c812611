"""Reads the headers and the body of a request of tus 1.0.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse, QueryDict, UnreadablePostError
from rest_framework.request import Request

from timba.api.file_fields import FileFieldsSerializer
from timba.api.http import check_storable, validated
from timba.errors import Invalid
from timba.files.resumable.services import Checksum

VERSION: Final = "1.0.0"
CHUNK_TYPE: Final = "application/offset+octet-stream"
ALGORITHMS: Final = ("sha1", "sha256", "md5")
MAX_METADATA: Final = 16 * 1024
_MAX_DIGITS: Final = len(str(2**63 - 1))


def parse_metadata(header: str) -> dict[str, str]:
    """Return the texts of an `Upload-Metadata`; raise Invalid where it cannot be read.

    A name without a value is left out.
    """
    if len(header) > MAX_METADATA:
        raise Invalid(f"Upload-Metadata has more than {MAX_METADATA} characters.")
    texts: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        name, _, encoded = pair.partition(" ")
        if name in texts:
            raise Invalid(f"Upload-Metadata names {name} twice.")
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise Invalid(f"Upload-Metadata has a {name} that is not UTF-8 in base64.") from error
        if text:
            texts[name] = text
    return texts


def validated_fields(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the valid fields of an upload, as those of a form."""
    form = QueryDict(mutable=True)
    form.update(texts)
    check_storable(form)
    return validated(FileFieldsSerializer(data=form))


def number_in(request: Request, header: str) -> int:
    """Return the number of bytes in a header; raise Invalid where there is none."""
    text = request.headers.get(header, "")
    if not re.fullmatch(f"[0-9]{{1,{_MAX_DIGITS}}}", text):
        raise Invalid(f"Send {header}: a number of bytes.")
    return int(text)


def checksum_of(request: Request) -> Checksum | None:
    """Return what the body must be, if the request says; raise Invalid for another algorithm."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, encoded = header.partition(" ")
    if algorithm not in ALGORITHMS:
        raise Invalid(f"Upload-Checksum is of {', '.join(ALGORITHMS)}, and names another one.")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != hashlib.new(algorithm).digest_size:
        raise Invalid(f"Upload-Checksum holds no digest of {algorithm} in base64.")
    return Checksum(algorithm=algorithm, digest=digest)


def media_type_of(request: Request) -> str:
    """Return the media type of the body in lower case, without its parameters."""
    return request.content_type.split(";", maxsplit=1)[0].strip().lower()


def declared_length(request: Request) -> int | None:
    """Return the size of the body; None if it is chunked."""
    length = request.META.get("CONTENT_LENGTH")
    if length is None and "HTTP_CONTENT_LENGTH" in request.META:
        return None
    return int(length or 0)


def body_reader(request: Request, declared: int | None) -> Callable[[int], bytes]:
    """Return a function that reads the body; it raises UnreadablePostError if that breaks off."""
    total = 0

    def read(size: int) -> bytes:
        nonlocal total
        data: bytes = request._request.read(size)
        total += len(data)
        # Some servers end a body that broke off like any other.
        if not data and declared is not None and total < declared:
            raise UnreadablePostError
        return data

    return read


def response_with(
    headers: Mapping[str, str], *, status: int = HTTPStatus.NO_CONTENT
) -> HttpResponse:
    response = HttpResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
