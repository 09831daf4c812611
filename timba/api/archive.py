"""`GET /api/files/archive/`: files as uploaded, in one ZIP archive that is streamed."""

from __future__ import annotations

import uuid
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.downloads import set_download_headers
from timba.api.http import check_storable
from timba.errors import Invalid, NotFound, Unavailable
from timba.files.archive import ArchivedFile, portable_name, unique_names, write_archive
from timba.files.models import File
from timba.files.storage import find_missing

MAX_FILES: Final = 1000
ZIP: Final = "application/zip"
UNREACHABLE: Final = "The stored bytes cannot be reached just now. Try again."
_WHICH: Final = f"Give file_id, up to {MAX_FILES:,} times, or a consignment_id."
_COLUMNS: Final = (
    *("pk", "name", "storage_key", "sha256", "size", "kind", "uploaded_at"),
    "client__time_zone",
)


class ArchiveView(APIView):
    """`GET /api/files/archive/`."""

    @extend_schema(
        summary="Download many files as a ZIP archive",
        description=(
            "The files as uploaded, under names that every system can store; those alike are "
            "numbered. Either the files with these ids, in this order, or those of a consignment, "
            "oldest first; 404 where it has none. 503 where the bytes of a file are missing: its "
            "name is in `detail`. An archive that cannot be completed breaks off."
        ),
        parameters=[
            OpenApiParameter(
                "file_id",
                uuid.UUID,
                many=True,
                description=f"Id of a file, repeated for more: up to {MAX_FILES:,}.",
            ),
            OpenApiParameter("consignment_id", int, description="Id of a consignment."),
        ],
        responses={(200, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        check_storable(request.query_params)
        actor = actor_of(request)
        file_ids = _file_ids(request.query_params.getlist("file_id"))
        consignment = get_linked_consignment(actor, request.query_params)
        if bool(file_ids) == (consignment is not None):
            raise Invalid(_WHICH)
        visible = File.objects.visible_to(actor)
        if consignment is None:
            rows = list(visible.filter(pk__in=file_ids).values_list(*_COLUMNS))
            if len(rows) < len(file_ids):
                raise NotFound("There is no such file.")
            rows.sort(key=lambda row: file_ids[row[0]])
            name = "files"
        else:
            found = visible.filter(consignment=consignment).order_by("uploaded_at", "pk")
            rows = list(found.values_list(*_COLUMNS))
            if not rows:
                raise NotFound("The consignment has no files.")
            name = consignment.name
        files = _archived(rows)
        _check_stored(files)
        response = StreamingHttpResponse(write_archive(files), content_type=ZIP)
        set_download_headers(response, f"{portable_name(name)}.zip")
        return response


def _file_ids(texts: list[str]) -> dict[uuid.UUID, int]:
    """Return the ids with the place of each."""
    if len(texts) > MAX_FILES:
        raise Invalid(fields={"file_id": [f"Give at most {MAX_FILES:,} ids of files."]})
    try:
        file_ids = dict.fromkeys(map(uuid.UUID, texts))
    except ValueError:
        sentence = "This is not an id of a file: ids are UUIDs."
        raise Invalid(fields={"file_id": [sentence]}) from None
    return {file_id: place for place, file_id in enumerate(file_ids)}


def _archived(rows: list[tuple[Any, ...]]) -> list[ArchivedFile]:
    names = unique_names(row[1] for row in rows)
    return [
        ArchivedFile(
            name=name,
            storage_key=key,
            sha256=sha256,
            size=size,
            kind=kind,
            modified_at=uploaded_at.astimezone(ZoneInfo(zone)),
        )
        for name, (_, _, key, sha256, size, kind, uploaded_at, zone) in zip(
            names, rows, strict=True
        )
    ]


def _check_stored(files: list[ArchivedFile]) -> None:
    """Raise Unavailable, before the first byte is sent, where bytes are missing or unreachable."""
    try:
        missing = find_missing(file.storage_key for file in files)
    except OSError:
        raise Unavailable(UNREACHABLE) from None
    names = [f"“{file.name}”" for file in files if file.storage_key in missing]
    if names:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        raise Unavailable(f"The bytes of {names[0]}{more} are missing. Leave such files out.")
