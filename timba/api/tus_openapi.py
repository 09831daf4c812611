"""What OpenAPI says of the requests of tus 1.0.0."""

from __future__ import annotations

from typing import Annotated, Final, TypedDict
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from timba.api.openapi import schema_of
from timba.api.tus_requests import ALGORITHMS, CHUNK_TYPE, VERSION


class CreatedUploadSchema(TypedDict):
    """An upload whose bytes are to be sent."""

    id: Annotated[UUID, "Id of the upload.", "0d4f3f0e-8c51-4c0a-9d0e-2f6b8f3f7a10"]
    upload_url: Annotated[
        str,
        "Path to send the bytes to; `Location` has the whole URL.",
        "/api/files/tus/0d4f3f0e-8c51-4c0a-9d0e-2f6b8f3f7a10/",
    ]


def _header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, "header", description=description, required=required)


_TUS_RESUMABLE: Final = _header("Tus-Resumable", f"The version of tus: {VERSION}.", required=True)
_CHECKSUM: Final = _header(
    "Upload-Checksum", f"An algorithm ({', '.join(ALGORITHMS)}), a blank, and the digest in base64."
)
_CHUNK: Final = {CHUNK_TYPE: OpenApiTypes.BINARY}
_CHUNK_RESPONSES: Final = {
    423: OpenApiResponse(description="Another request is just working on the upload."),
    460: OpenApiResponse(description="The bytes do not match `Upload-Checksum`; none were kept."),
}

describe_creation: Final = extend_schema(
    summary="Create a resumable upload",
    description=(
        "By tus 1.0.0 (tus.io). `Location` is where its bytes go, in any number of requests; "
        "the body may hold the first of them. The file is accepted with its last byte. "
        "`OPTIONS` tells the version, the extensions and the maximum size."
    ),
    parameters=[
        _TUS_RESUMABLE,
        _header("Upload-Length", "Size of the file in bytes.", required=True),
        _header(
            "Upload-Metadata",
            "`filename`, and the fields of the form at `/api/files/`: pairs of a name and a "
            "value in base64 with a blank between them, separated by commas.",
            required=True,
        ),
        _CHECKSUM,
    ],
    request=None,
    responses={201: schema_of(CreatedUploadSchema), **_CHUNK_RESPONSES},
)

describe_chunk: Final = extend_schema(
    summary="Send bytes of a resumable upload",
    description=(
        "`HEAD` tells the offset to send in `Upload-Offset`. The response to the last bytes "
        "has the ids of the file in `Timba-File-Id` and `Timba-Task-Id`; for temperatures that "
        "were uploaded before, those of the earlier file, and `Timba-Duplicate: true`. What "
        "arrived of a body that broke off is kept, unless it has a checksum. An upload without a "
        "new byte for 24 hours is deleted, at `Upload-Expires`."
    ),
    parameters=[
        _TUS_RESUMABLE,
        _header("Upload-Offset", "Where the bytes begin.", required=True),
        _CHECKSUM,
    ],
    request=_CHUNK,
    responses={
        204: OpenApiResponse(description="The bytes are stored, up to `Upload-Offset`."),
        409: OpenApiResponse(description="The upload goes on at another offset."),
        412: OpenApiResponse(description="`Tus-Resumable` is missing, or another version."),
        **_CHUNK_RESPONSES,
    },
)

describe_deletion: Final = extend_schema(
    summary="Delete a resumable upload",
    description="With what has arrived of it. A file that it has become stays.",
    parameters=[_TUS_RESUMABLE],
    responses={204: None},
)
