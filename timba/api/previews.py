"""`GET /api/files/<id>/preview/`: a photo, or a page of a PDF, as a small WebP.

A page of a consignment asks for dozens of them, so they bypass Django REST framework.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, QueryDict
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from timba.api.authentication import user_of
from timba.api.downloads import matches_etag
from timba.api.files import visible_file
from timba.api.temperatures import PlainGetView
from timba.errors import Invalid, NotFound, Unavailable
from timba.files.kinds import DOCUMENT
from timba.files.models import File
from timba.files.previews import read_page, read_preview
from timba.files.processors.pictures import MAX_SIZE, SIZES
from timba.files.storage import UNREACHABLE

WEBP: Final = "image/webp"
NO_PREVIEW: Final = "There is no preview of this file, or not yet."
NO_PAGE: Final = "The file has no such page, or it cannot be drawn."
_MAX_DIGITS: Final = 9  # of a page's number
PARAMETERS: Final = [
    OpenApiParameter(
        "size",
        {"type": "integer", "enum": list(SIZES), "default": MAX_SIZE},
        description="Longest side in pixels; a smaller photo is not enlarged.",
    ),
    OpenApiParameter(
        "page",
        {"type": "integer", "minimum": 1, "default": 1},
        description="Page of a PDF, from 1.",
    ),
]


class PreviewView(PlainGetView):
    """The preview of a file."""

    parameters = PARAMETERS

    @extend_schema(
        summary="Get a preview of a photo or a PDF",
        description="Upright, in sRGB and without metadata; transparent parts are white.",
        parameters=PARAMETERS,
        responses={(200, WEBP): OpenApiTypes.BINARY, 304: None},
    )
    def get(self, request: HttpRequest, pk: str) -> HttpResponseBase:
        file = visible_file(user_of(request), pk)
        size, page = _parse(request.GET)
        if page == 1 and not file.has_preview:
            raise NotFound(NO_PREVIEW)
        if page > _pages(file):
            raise NotFound(NO_PAGE)
        etag = f'"{file.run}-{page}-{size}"'
        if matches_etag(etag, request.META.get("HTTP_IF_NONE_MATCH", "")):
            return HttpResponseNotModified(headers={"ETag": etag})
        try:
            content = read_preview(file, size) if page == 1 else read_page(file, page, size)
        except OSError:
            raise Unavailable(UNREACHABLE) from None
        if content is None:
            raise NotFound(NO_PREVIEW if page == 1 else NO_PAGE)
        return HttpResponse(
            content,
            content_type=WEBP,
            headers={
                "ETag": etag,
                "Content-Disposition": "inline",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
            },
        )


def _pages(file: File) -> int:
    """Return how many pages there are of which a preview can be made."""
    if file.kind == DOCUMENT and file.status == File.Status.SUCCESS:
        pages: int = file.result["pages"]
        return pages
    return 1


def _parse(params: QueryDict) -> tuple[int, int]:
    """Return size and page; raise Invalid."""
    size, page = params.get("size", str(MAX_SIZE)), params.get("page", "1")
    if size not in map(str, SIZES):
        raise Invalid(fields={"size": ["Give 256 or 1024."]})
    if not (page.isascii() and page.isdigit() and len(page) <= _MAX_DIGITS and int(page)):
        raise Invalid(fields={"page": ["Give the number of a page, from 1."]})
    return int(size), int(page)
