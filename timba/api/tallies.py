"""The doors that export a consignment: `/api/consignments/<id>/tally.xlsx`, `.csv` and `.pdf`."""

from __future__ import annotations

from typing import Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.downloads import Pieces, make_harmless
from timba.consignments.exports import export, visible_consignment
from timba.errors import Invalid, Unavailable
from timba.files.kinds import MEDIA_TYPES

MAX_PRINTED: Final = 20_000
TOO_MANY: Final = f"A PDF holds at most {MAX_PRINTED:,} logs. Export it as XLSX or CSV."
NO_FONTS: Final = "The fonts of PDFs are not installed here. Export it as XLSX or CSV."


class WorkbookDoor(APIView):
    """`GET /api/consignments/<id>/tally.xlsx`."""

    @extend_schema(responses={(200, MEDIA_TYPES["xlsx"]): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return _exported(request, pk, ending="xlsx")


class CsvDoor(APIView):
    """`GET /api/consignments/<id>/tally.csv`."""

    @extend_schema(responses={(200, MEDIA_TYPES["csv"]): OpenApiTypes.STR})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return _exported(request, pk, ending="csv")


class PdfDoor(APIView):
    """`GET /api/consignments/<id>/tally.pdf`."""

    @extend_schema(responses={(200, MEDIA_TYPES["pdf"]): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        # What draws letters is slow to load: not at every start.
        from timba.consignments.tallies.paper import has_fonts  # noqa: PLC0415

        if visible_consignment(actor_of(request), pk).log_count > MAX_PRINTED:
            raise Invalid(TOO_MANY)
        if not has_fonts():
            raise Unavailable(NO_FONTS)
        return _exported(request, pk, ending="pdf")


def _exported(request: Request, pk: int, *, ending: str) -> StreamingHttpResponse:
    """Send an export on: it is all there, and asks the database nothing while it is read."""
    actor = actor_of(request)
    consignment = visible_consignment(actor, pk)
    content = export(actor=actor, consignment=consignment, ending=ending)
    size = content.tell()
    media_type = MEDIA_TYPES[ending]
    if ending == "csv":
        media_type += "; charset=utf-8"
    response = StreamingHttpResponse(Pieces(content, range(size)), content_type=media_type)
    response["Content-Length"] = str(size)
    make_harmless(response, f"{_file_name(consignment.name)}.{ending}")
    return response


def _file_name(name: str) -> str:
    """Return a consignment's name as any system takes it for a file's."""
    return "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
