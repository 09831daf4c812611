"""Streams downloads: files as uploaded, rejected lines, annotated tallies and exports.

Headers make browsers save every download and never display, sniff or run it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from django.db.models import F
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header, parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.files import visible_file
from timba.api.http import QuerySerializer, validated_query
from timba.api.openapi import RANGE_RESPONSE
from timba.api.problems import problem
from timba.errors import Invalid, NotFound, Unavailable
from timba.files.kinds import MEDIA_TYPES, TALLY, TEMPERATURES, WORKBOOK
from timba.files.models import Derivative, File
from timba.files.rejects import REJECTS_HEADER, csv_lines
from timba.files.storage import UNREACHABLE, store
from timba.tallies.exporting.exports import export_tally, get_visible_consignment
from timba.tallies.exporting.font_files import has_packaged_fonts

MAX_PDF_LOGS: Final = 20_000
TOO_MANY_LOGS: Final = f"A PDF holds at most {MAX_PDF_LOGS:,} logs. Export it as XLSX or CSV."
NO_FONTS: Final = "The fonts of PDFs are not installed here. Export it as XLSX or CSV."

_CHUNK_SIZE: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
# Longer numbers are beyond any file size; parsing them would cost time.
_MAX_DIGITS: Final = 18
_REJECTS_SCHEMA: Final = {
    "type": "string",
    "examples": ['line,reason,text\r\n3,the temperature is not a number,"7,warm,2025-06-01"\r\n'],
}
_CSV_SCHEMA: Final = {
    "type": "string",
    "examples": [
        "\ufeffbarcode,length,breadth,height,volume\r\nTB-1-71,4.200,30.000,30.000,0.378\r\n"
    ],
}


class ContentView(APIView):
    """`GET /api/files/<id>/content/`."""

    @extend_schema(
        summary="Download a file",
        description="The bytes as uploaded; a single `Range` is supported.",
        parameters=[
            OpenApiParameter(
                "Range",
                str,
                OpenApiParameter.HEADER,
                description="One range of bytes, for example bytes=0-1023.",
            )
        ],
        responses={
            (200, "*/*"): OpenApiTypes.BINARY,
            (206, "*/*"): OpenApiTypes.BINARY,
            304: None,
            **RANGE_RESPONSE,
        },
    )
    def get(self, request: Request, pk: str) -> HttpResponse | StreamingHttpResponse:
        file = visible_file(actor_of(request), pk)
        etag = f'"{file.sha256}"'
        if matches_etag(etag, request.headers.get("If-None-Match", "")):
            return HttpResponse(status=304, headers={"ETag": etag})
        span = None
        if request.headers.get("If-Range", etag) == etag:
            span = _parse_range(request.headers.get("Range", ""), file.size)
        if span is not None and not span:
            return problem(
                416,
                f"There are no such bytes: the file has {file.size}.",
                headers={"Content-Range": f"bytes */{file.size}"},
            )
        is_partial = span is not None
        span = span or range(file.size)
        response = StreamingHttpResponse(
            RangeReader(_open_stored(file.storage_key), span),
            status=206 if is_partial else 200,
            content_type=file.media_type,
        )
        if is_partial:
            response["Content-Range"] = f"bytes {span[0]}-{span[-1]}/{file.size}"
        else:
            digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
            response["Repr-Digest"] = f"sha-256=:{digest}:"
        response["Content-Length"] = str(len(span))
        response["Accept-Ranges"] = "bytes"
        response["ETag"] = etag
        set_download_headers(response, file.name)
        return response


class RejectsView(APIView):
    """`GET /api/files/<id>/rejects/`."""

    @extend_schema(
        summary="Download the rejected lines of a file",
        description="For temperature and tally files, once processed.",
        responses={(200, "text/csv"): _REJECTS_SCHEMA},
    )
    def get(self, request: Request, pk: str) -> StreamingHttpResponse:
        file = visible_file(actor_of(request), pk)
        has_result = file.processed or file.is_read_again
        if file.kind not in {TEMPERATURES, TALLY} or not has_result:
            raise NotFound("There are no rejects of this file.")
        response = StreamingHttpResponse(_rejects(file), content_type="text/csv; charset=utf-8")
        set_download_headers(response, f"{file.name} rejects.csv")
        return response


class AnnotatedView(APIView):
    """`GET /api/files/<id>/annotated/`: a tally's workbook with its rejected cells marked."""

    @extend_schema(
        summary="Download a tally with its rejected cells marked",
        responses={(200, WORKBOOK): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: str) -> StreamingHttpResponse:
        file = visible_file(actor_of(request), pk)
        annotated = _current_derivative(file, Derivative.Role.ANNOTATED)
        if annotated is None:
            raise NotFound("There is no marked workbook of this file.")
        response = StreamingHttpResponse(annotated, content_type=WORKBOOK)
        response["Content-Length"] = str(annotated.size)
        stem = file.name.rpartition(".")[0]
        set_download_headers(response, f"{stem} marked.xlsx")
        return response


def _rejects(file: File) -> Iterable[bytes]:
    rejects = _current_derivative(file, Derivative.Role.REJECTS)
    return [csv_lines([REJECTS_HEADER])] if rejects is None else rejects


def _current_derivative(file: File, role: str) -> RangeReader | None:
    """Return a derivative of the file's current run, or None."""
    derivative = Derivative.objects.filter(file=file, run=F("file__run"), role=role).first()
    if derivative is None:
        return None
    return RangeReader(
        _open_stored(derivative.storage_key), range(store().size(derivative.storage_key))
    )


def _open_stored(key: str) -> BinaryIO:
    try:
        return store().open_bytes(key)
    except OSError:
        raise Unavailable(UNREACHABLE) from None


class RangeReader:
    """Iterates over a range of a stream in chunks; its response closes the stream."""

    def __init__(self, stream: BinaryIO, span: range) -> None:
        self._stream, self._span = stream, span

    @property
    def size(self) -> int:
        return len(self._span)

    def __iter__(self) -> Iterator[bytes]:
        with self._stream:
            self._stream.seek(self._span.start)
            remaining = len(self._span)
            while remaining and (chunk := self._stream.read(min(_CHUNK_SIZE, remaining))):
                remaining -= len(chunk)
                yield chunk

    def close(self) -> None:
        self._stream.close()


def matches_etag(etag: str, header: str) -> bool:
    """Whether an `If-None-Match` header matches the ETag (RFC 9110, 13.1.2)."""
    tags = {tag.removeprefix("W/") for tag in parse_etags(header)}
    return bool(tags & {etag, "*"})


def _parse_range(header: str, size: int) -> range | None:
    """Return the single range of bytes of a `Range` header (RFC 9110, 14.1.2).

    The range is empty where the file has none of these bytes. None means that the header is absent,
    malformed or holds several ranges: then the whole file is returned.
    """
    match = _RANGE.fullmatch(header)
    if match is None or any(len(digits) > _MAX_DIGITS for digits in match.groups()):
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        return range(int(first), min(int(last) + 1, size) if last else size)
    return range(size - min(int(last), size), size) if last else None


def set_download_headers(response: StreamingHttpResponse, name: str) -> None:
    """Make browsers save the response under this name, and never display or run it."""
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"


class WorkbookView(APIView):
    """`GET /api/consignments/<id>/tally.xlsx`."""

    @extend_schema(
        summary="Export the tally of a consignment as XLSX",
        responses={(200, MEDIA_TYPES["xlsx"]): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return _export_response(request, pk, extension="xlsx")


class CsvQuery(QuerySerializer):
    """How numbers are written."""

    decimal = serializers.ChoiceField(
        choices=["comma"],
        required=False,
        help_text="comma writes decimal commas, and semicolons between the fields.",
        error_messages={"invalid_choice": "“{input}” is not “comma”: leave it out for points."},
    )


class CsvView(APIView):
    """`GET /api/consignments/<id>/tally.csv`."""

    @extend_schema(
        summary="Export the tally of a consignment as CSV",
        description="In UTF-8 with a byte order mark. A barcode that a spreadsheet program would "
        "change or run has an apostrophe in front, which is taken off when the CSV is uploaded.",
        parameters=[CsvQuery],
        responses={(200, MEDIA_TYPES["csv"]): _CSV_SCHEMA},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        decimal = "," if "decimal" in validated_query(CsvQuery, request) else "."
        return _export_response(request, pk, extension="csv", decimal=decimal)


class PdfView(APIView):
    """`GET /api/consignments/<id>/tally.pdf`."""

    @extend_schema(
        summary="Export the tally of a consignment as PDF",
        responses={(200, MEDIA_TYPES["pdf"]): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        if get_visible_consignment(actor_of(request), pk).log_count > MAX_PDF_LOGS:
            raise Invalid(TOO_MANY_LOGS)
        if not has_packaged_fonts():
            raise Unavailable(NO_FONTS)
        return _export_response(request, pk, extension="pdf")


def _export_response(
    request: Request, pk: int, *, extension: str, decimal: str = "."
) -> StreamingHttpResponse:
    """Return an export. It is complete before it is streamed: streaming makes no queries."""
    actor = actor_of(request)
    consignment = get_visible_consignment(actor, pk)
    content = export_tally(
        actor=actor, consignment=consignment, extension=extension, decimal=decimal
    )
    size = content.tell()
    media_type = MEDIA_TYPES[extension]
    if extension == "csv":
        media_type += "; charset=utf-8"
    response = StreamingHttpResponse(RangeReader(content, range(size)), content_type=media_type)
    response["Content-Length"] = str(size)
    set_download_headers(response, f"{_file_name(consignment.name)}.{extension}")
    return response


def _file_name(name: str) -> str:
    """Return a consignment's name without characters that file systems forbid."""
    return "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
