"""`GET /api/files/archive/`: files as uploaded, in one ZIP archive that is streamed."""

from __future__ import annotations

import uuid
from typing import Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.api.authentication import actor_of
from timba.api.consignments import get_linked_consignment
from timba.api.downloads import set_download_headers
from timba.api.http import check_storable
from timba.errors import Invalid, NotFound
from timba.files.archive import MAX_FILES, all_files, portable_name, select_files, write_archive
from timba.files.models import File

ZIP: Final = "application/zip"
_WHICH: Final = f"Give file_id, up to {MAX_FILES:,} times, or a consignment_id."


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
            files, name = select_files(visible, file_ids), "files"
        else:
            files, name = all_files(visible.filter(consignment=consignment)), consignment.name
            if not files:
                raise NotFound("The consignment has no files.")
        response = StreamingHttpResponse(write_archive(files), content_type=ZIP)
        set_download_headers(response, f"{portable_name(name)}.zip")
        return response


def _file_ids(texts: list[str]) -> list[uuid.UUID]:
    if len(texts) > MAX_FILES:
        raise Invalid(fields={"file_id": [f"Give at most {MAX_FILES:,} ids of files."]})
    try:
        return list(map(uuid.UUID, texts))
    except ValueError:
        sentence = "This is not an id of a file: ids are UUIDs."
        raise Invalid(fields={"file_id": [sentence]}) from None
