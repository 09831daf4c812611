"""Streams bytes out: a file as it was uploaded, and the lines of it that were rejected.

Whatever was uploaded, a browser only ever saves it: it is never shown, run or guessed at.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from django.db.models import F
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.files import visible_file
from timba.api.problems import problem
from timba.api.schema import NO_SUCH_RANGE
from timba.errors import NotFound, Unavailable
from timba.files.kinds import TEMPERATURES
from timba.files.models import Derivative, File
from timba.files.storage import store

_PIECE: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_MAX_DIGITS: Final = 18
REJECTS_HEADER: Final = b"line,reason,text\r\n"


class ContentDoor(APIView):
    """`GET /api/files/<id>/content/`."""

    @extend_schema(
        parameters=[OpenApiParameter("Range", str, OpenApiParameter.HEADER)],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            **NO_SUCH_RANGE,
        },
    )
    def get(self, request: Request, pk: str) -> HttpResponse | StreamingHttpResponse:
        file = visible_file(actor_of(request), pk)
        etag = f'"{file.sha256}"'
        if request.headers.get("If-None-Match") == etag:
            return HttpResponse(status=304, headers={"ETag": etag})
        wanted = request.headers.get("Range", "")
        if request.headers.get("If-Range", etag) != etag:
            wanted = ""
        span = _span(wanted, file.size)
        if span is None:
            return problem(
                416,
                f"There are no such bytes: the file has {file.size}.",
                headers={"Content-Range": f"bytes */{file.size}"},
            )
        first, last = span
        response = StreamingHttpResponse(
            _pieces(_open(file.storage_key), first, last - first + 1),
            status=206 if wanted and _RANGE.fullmatch(wanted) else 200,
            content_type=file.media_type,
        )
        if response.status_code == 206:
            response["Content-Range"] = f"bytes {first}-{last}/{file.size}"
        else:
            digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
            response["Repr-Digest"] = f"sha-256=:{digest}:"
        response["Content-Length"] = str(last - first + 1)
        response["Accept-Ranges"] = "bytes"
        response["ETag"] = etag
        _make_harmless(response, file.name)
        return response


class RejectsDoor(APIView):
    """`GET /api/files/<id>/rejects/`."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, pk: str) -> StreamingHttpResponse:
        file = visible_file(actor_of(request), pk)
        if file.kind != TEMPERATURES or not file.processed:
            raise NotFound("There are no rejects of this file.")
        response = StreamingHttpResponse(_rejects(file), content_type="text/csv; charset=utf-8")
        _make_harmless(response, f"{file.name} rejects.csv")
        return response


def _rejects(file: File) -> Iterator[bytes]:
    made = Derivative.objects.filter(file=file, run=F("file__run"), role=Derivative.Role.REJECTS)
    derivative = made.first()
    if derivative is None:
        return iter([REJECTS_HEADER])
    stream = _open(derivative.storage_key)
    return _pieces(stream, 0, store().size(derivative.storage_key))


def _open(key: str) -> BinaryIO:
    try:
        return store().open_bytes(key)
    except OSError:
        raise Unavailable("The stored bytes cannot be reached just now. Try again.") from None


def _pieces(stream: BinaryIO, first: int, count: int) -> Iterator[bytes]:
    with stream:
        stream.seek(first)
        while count > 0 and (piece := stream.read(min(_PIECE, count))):
            count -= len(piece)
            yield piece


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of a single range (RFC 9110, 14.1.2), None for an empty one.

    What is not one range of bytes is ignored: the whole is answered.
    """
    found = _RANGE.fullmatch(wanted)
    if found is None or any(len(digits) > _MAX_DIGITS for digits in found.groups()):
        return 0, size - 1
    first, last = found.groups()
    if not first and not last:
        return 0, size - 1
    if not first:
        length = min(int(last), size)
        return (size - length, size - 1) if length else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


def _make_harmless(response: StreamingHttpResponse, name: str) -> None:
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-cache"
