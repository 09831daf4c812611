"""The doors that export a consignment: `/api/consignments/<id>/tally.xlsx`, `.csv` and `.pdf`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.models import User
from timba.api.authentication import actor_of
from timba.api.downloads import Pieces, make_harmless
from timba.consignments.models import Consignment, Log
from timba.consignments.tallies.facts import Tally, TallyLog
from timba.consignments.tallies.plain import write_csv
from timba.consignments.tallies.workbook import write_workbook
from timba.errors import Invalid, Unavailable
from timba.files.kinds import MEDIA_TYPES
from timba.places.models import City

MAX_PRINTED: Final = 20_000
TOO_MANY: Final = f"A PDF holds at most {MAX_PRINTED:,} logs. Export it as XLSX or CSV."
NO_FONTS: Final = "The fonts of PDFs are not installed here. Export it as XLSX or CSV."
_IN_MEMORY: Final = 1024 * 1024


class WorkbookDoor(APIView):
    """`GET /api/consignments/<id>/tally.xlsx`."""

    @extend_schema(responses={(200, MEDIA_TYPES["xlsx"]): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return _exported(visible_tally(actor_of(request), pk), write_workbook, ending="xlsx")


class CsvDoor(APIView):
    """`GET /api/consignments/<id>/tally.csv`."""

    @extend_schema(responses={(200, MEDIA_TYPES["csv"]): OpenApiTypes.STR})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return _exported(visible_tally(actor_of(request), pk), write_csv, ending="csv")


class PdfDoor(APIView):
    """`GET /api/consignments/<id>/tally.pdf`."""

    @extend_schema(responses={(200, MEDIA_TYPES["pdf"]): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        # What draws letters is slow to load: not at every start.
        from timba.consignments.tallies.paper import has_fonts, write_pdf  # noqa: PLC0415

        tally = visible_tally(actor_of(request), pk)
        if len(tally.logs) > MAX_PRINTED:
            raise Invalid(TOO_MANY)
        if not has_fonts():
            raise Unavailable(NO_FONTS)
        return _exported(tally, write_pdf, ending="pdf")


def visible_tally(actor: User, pk: int) -> Tally:
    """Return what `actor` may see of this consignment and its logs; raise NotFound."""
    consignments = Consignment.objects.visible_to(actor).select_related("client")
    consignment = consignments.one_or_not_found(pk=pk)
    logs = Log.objects.visible_to(actor).filter(consignment=consignment).order_by("pk")
    return Tally(
        client=consignment.client.name,
        name=consignment.name,
        type=consignment.type,
        vehicle_number=consignment.vehicle_number,
        city=_city(consignment),
        opened_at=consignment.created_at,
        exported_at=timezone.now(),
        logs=[TallyLog(*values) for values in logs.values_list(*TallyLog._fields)],  # noqa: SLF001 - a named tuple's own
    )


def _city(consignment: Consignment) -> str:
    if consignment.city_id is None:
        return ""
    named = City.unscoped.filter(client=consignment.client_id, number=consignment.city_id).first()
    return str(named or consignment.city_id)


def _exported(
    tally: Tally, write: Callable[[Tally, BinaryIO], None], *, ending: str
) -> StreamingHttpResponse:
    """Write a tally and send it on; a large one waits in a nameless file, not in memory."""
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - its response closes it
    content = cast("BinaryIO", spool)
    try:
        write(tally, content)
    except BaseException:
        content.close()
        raise
    size = content.tell()
    media_type = MEDIA_TYPES[ending]
    if ending == "csv":
        media_type += "; charset=utf-8"
    response = StreamingHttpResponse(Pieces(content, range(size)), content_type=media_type)
    response["Content-Length"] = str(size)
    make_harmless(response, f"{_file_name(tally.name)}.{ending}")
    return response


def _file_name(name: str) -> str:
    """Return a consignment's name as any system takes it for a file's."""
    return "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
